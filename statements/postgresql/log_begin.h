#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/pg_session.h"
#include "db/stop_signal.h"
#include "decoder/pg_log/log_settings.h"
#include "decoder/pg_log/logged_transaction.h"
#include "statements/postgresql/scratch.h"

namespace rowferry {

/// Writes a text into the leader's log and waits until one of the files shows it. Throws RefusedError when none does: it is the log of another server, or not all of it.
void check_is_its_log(PgSession& leader, const LogSettings& settings, const StopSignal& stop);

/// Sizes of the log's files.
[[nodiscard]] std::map<std::string, std::uintmax_t> log_sizes(const std::vector<std::string>& paths);
/// Did a text arrive in one of them since?
[[nodiscard]] bool log_shows(const std::vector<std::string>& paths, const std::map<std::string, std::uintmax_t>& since, const std::string& text);

/// A snapshot of the leader whose place in the log is known exactly: taken while nobody could write, between markers in the log. Holds its connections until it is destroyed. Waits for
/// transactions that are open when it begins, and for a moment in which all tables can be locked against writers, never in front of anybody for more than a quarter of a second.
class MarkedSnapshot {
public:
    MarkedSnapshot(const PgConninfo& leader, const std::string& application, const StopSignal& stop);

    [[nodiscard]] const LogMarker& marker() const noexcept { return marker_; }
    /// For pg_dump.
    [[nodiscard]] const std::string& exported() const noexcept { return exported_; }

private:
    void wait_for_open(const StopSignal& stop);
    [[nodiscard]] bool take(const PgConninfo& leader, const std::string& application, const std::string& tables);

    PgSession control_;
    PgSession exporter_;
    LogMarker marker_;
    std::string exported_;
    int losses_ = 0;
};

/// Is the transaction in the marker's snapshot? Once the marker's place in the log is known. Throws HaltError when the log and the snapshot contradict each other.
[[nodiscard]] bool is_in_snapshot(const LogMarker& marker, const LoggedTransaction& transaction);

}  // namespace rowferry
