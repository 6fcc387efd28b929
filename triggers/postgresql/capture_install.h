#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "db/stop_signal.h"
#include "decoder/pgoutput/pg_catalog.h"

namespace rowferry::pg_capture {

/// Makes the schema `rowferry` and what is in it, as far as it is missing.
void install_objects(PgSession& session);

/// The row of a stream; another follower's is never touched.
void add_stream(PgSession& session, const std::string& stream, const std::string& follower_id);

/// Puts triggers on the tables, or takes those that are there, and makes the tables members of the stream. Each table is locked against writers for a moment, for which
/// it waits as long as it takes, never in front of anybody for more than a quarter of a second (where a vacuum has to give way, now and then 1.5 s). When it returns every later write is captured, and every earlier one has committed.
void capture_tables(PgSession& session, const std::string& stream, const std::vector<PgTable>& tables, const StopSignal& stop);

/// Takes tables out of the stream, and our triggers off those that no stream needs any more: for each table both or neither. One line per table. Throws RetryableError, when all others are
/// done, for tables that are in use for long; they stay the stream's.
std::vector<std::string> release_tables(PgSession& session, const std::string& stream, const std::vector<std::uint32_t>& oids, const StopSignal& stop);

/// Removes the stream, its triggers, and with the last stream everything else. One line per removed object.
std::vector<std::string> remove_stream(PgSession& session, const std::string& stream, const StopSignal& stop);
/// Triggers of ours on tables that are no stream's, and with the last stream the objects. Throws RetryableError as above.
std::vector<std::string> remove_unused_objects(PgSession& session, const StopSignal& stop);

/// Held by whoever reads a stream, for as long as its session lives. False when somebody else holds it.
[[nodiscard]] bool lock_stream(PgSession& session, const std::string& stream);
void unlock_stream(PgSession& session, const std::string& stream);

}  // namespace rowferry::pg_capture
