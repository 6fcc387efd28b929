#pragma once

#include <memory>

#include "db/stop_signal.h"
#include "decoder/sqlite_wal/shadow.h"
#include "decoder/sqlite_wal/wal_access.h"
#include "decoder/sqlite_wal/wal_file.h"

namespace rowferry {

/// Copies the leader, as the read transaction that is held on it sees it, into a new shadow at `place`. Throws RetryableError when the disk is full;
/// what was written is then removed.
void make_shadow(const ShadowNames& names, const ShadowRecord& record, const LivePages& live, const StopSignal& stop);

/// The store of a stream that has a shadow, at `place` or, where the shadow's own log ends before it (a power cut took its end), as near as it gets. Throws HaltError
/// when the shadow is beyond it already, or somebody else's.
[[nodiscard]] std::unique_ptr<PageStore> open_shadowed_store(const ShadowNames& names, const ShadowRecord& record, Position place);

/// A store over the leader's own pages, for a stream without a shadow. `place` lies in the log that the leader has now; it is read from the beginning up
/// to there. The log is held, and its salts are those of `place`. Throws HaltError when it ends before.
[[nodiscard]] std::unique_ptr<PageStore> open_borrowed_store(const WalAccess& access, const WalPlace& place, const std::string& folder);

}  // namespace rowferry
