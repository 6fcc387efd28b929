#pragma once

#include <memory>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "decoder/pgoutput/pg_snapshot.h"
#include "schemas/leader.h"

namespace rowferry {

// What a stream of a PostgreSQL leader is made of, however its changes are captured.

/// The way out for a stream whose changes are gone: ends a HaltError.
inline constexpr const char* kCopyAgain = "`rowferry drop` the stream and run it again with --on-existing truncate";

/// System identifier, timeline and database of the server that the session talks to.
[[nodiscard]] LeaderIdentity read_identity(PgSession& session);

/// The tables that the request selects, each with what the rules ask of it (note_rules). Throws RefusedError when a pattern or a rule names what is not there, or nothing is
/// selected.
[[nodiscard]] std::vector<PgTable> select_by_patterns(PgSession& session, const StreamRequest& request, bool partition_roots);
/// The same by name. Throws RefusedError that tells which one cannot be replicated.
[[nodiscard]] std::vector<PgTable> select_by_names(PgSession& session, const StreamRequest& request, const std::vector<TableName>& names, bool partition_roots);

/// Their shapes as the stream carries them, with all that a follower's DDL needs (opens the tables: PgDepth::definition). `one_off`: for a copy that identifies no rows.
[[nodiscard]] std::vector<TablePtr> read_carried_tables(PgSession& session, std::vector<PgTable> tables, bool one_off);

/// A snapshot that other sessions may import (pg_export_snapshot) as long as this lives: a transaction of a session of its own.
class ExportedSnapshot {
public:
    ExportedSnapshot(const PgConninfo& conninfo, const std::string& application);
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// What it sees, as pg_current_snapshot() has it.
    [[nodiscard]] const std::string& bounds() const noexcept { return bounds_; }

private:
    PgSession session_;
    PgTransaction transaction_;
    std::string name_;
    std::string bounds_;
};

}  // namespace rowferry
