#pragma once

#include <chrono>
#include <string>

#include "applier/postgresql/pg_query.h"
#include "db/stop_signal.h"

namespace rowferry {

/// Takes the stream's lock for the session that `run` speaks to: an advisory lock, which the server gives back when the session ends,
/// however it ends. `patience` is for a holder that was killed and whose end the server has yet to notice. Throws RefusedError with
/// the server process that holds it.
void take_stream_lock(const PgRun& run, const std::string& stream, std::chrono::milliseconds patience, const StopSignal& stop);
/// Held by every further session that writes rows of the stream's copy, as long as it lives: whoever begins the copy anew has to know that
/// nobody writes to the old one any more. Throws RetryableError when a copy is being begun by somebody else.
void share_copy_lock(const PgRun& run, const std::string& stream);
/// Until the end of the transaction: none of those sessions is left. They go with their process, or within seconds after its connection was
/// lost. Throws RetryableError after some seconds.
void take_copy_lock(const PgRun& run, const std::string& stream, const StopSignal& stop);
void release_stream_lock(const PgRun& run, const std::string& stream);

}  // namespace rowferry
