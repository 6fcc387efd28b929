#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schemas/checkpoint.h"
#include "schemas/row_reader.h"
#include "schemas/selection.h"
#include "schemas/source.h"
#include "schemas/table_rules.h"

namespace rowferry {

/// What to do with PostgreSQL tables that have no replica identity.
enum class KeylessMode : std::uint8_t { refuse, full, insert };

/// Where transactions that a leader sends before their end wait for it.
struct SpoolOptions {
    std::string directory = "/var/tmp";
    std::size_t memory = 16 * 1024 * 1024;  ///< What may wait in memory, in bytes; the rest is in files.
};

/// How the log of a SQLite leader is followed.
struct SqliteLogOptions {
    bool shadow = true;                       ///< Keep a copy of the leader's pages, where the disk has room.
    std::string shadow_folder;                ///< For the pages; empty: beside the leader.
    std::uint64_t most_log = 1ULL << 30;      ///< The leader's log may grow to this size, in bytes, because of us.
    std::uint64_t barrier = 0;                ///< Above this one its writers are held up for a moment, so that it can begin anew; 0: never.
};

/// What a stream asks of its leader.
struct StreamRequest {
    std::string stream;
    std::string follower_id;
    TableSelection selection;
    TableRules rules;                 ///< Columns, rows, names and masks. Leaders use columns and filter; the rest is done behind them.
    KeylessMode keyless = KeylessMode::refuse;
    bool one_off = false;             ///< A clone: nothing is installed, so nothing that only a stream needs is checked.
    bool exact_replace = false;       ///< SQLite: BEFORE triggers that log what REPLACE removes.
    bool partition_roots = false;     ///< PostgreSQL: partitioned tables through their root instead of leaf by leaf.
    SpoolOptions spool;               ///< PostgreSQL.
    SqliteLogOptions log;             ///< SQLite, captured from its log.
    bool binary = false;              ///< PostgreSQL: the follower takes every table of the stream in binary form (Follower::binary_obstacle).
    bool in_progress = false;         ///< PostgreSQL: a transaction may come before its end (Begin::in_progress).
    bool need_profiles = false;       ///< SQLite: the follower needs to know what the columns hold (ColumnProfile).
    /// Nothing of the stream outlives this leader object: follow() comes right behind start(), once, and drop() ends it. Only where offers_temporary().
    bool temporary = false;
    bool rows_before = false;         ///< Of updates the whole row before, where it is captured: for readers. A follower needs no more of it than its key.

    /// What the checkpoint keeps of it, so that a later start that asks for something else is noticed: table patterns, then a line per rule.
    [[nodiscard]] std::string canonical() const;
};

/// A consistent view of the leader at one position. Holds a transaction or a copy on the leader until it is destroyed.
/// One thread, which is also the one of its own reading. Errors: RetryableError (the whole snapshot has to start again), HaltError.
class Snapshot : public RowReader {
public:
    /// Changes at or below this position are in the snapshot, all others are not.
    [[nodiscard]] virtual Position position() const = 0;
    [[nodiscard]] virtual std::string resume() const { return {}; }
    /// The tables as they are in this snapshot; SQLite: with profiles.
    [[nodiscard]] virtual std::vector<TablePtr> tables() const = 0;
    /// About how many rows, for progress; nothing where unknown.
    [[nodiscard]] virtual std::optional<std::uint64_t> estimated_rows(const TableSchema& table) = 0;
    /// Parts of a table that are worth reading side by side, at most `most`, together all of its rows. One that is empty: the whole table.
    [[nodiscard]] virtual std::vector<std::string> ranges(const TableSchema& /*table*/, std::size_t /*most*/) { return {{}}; }
    /// Another reader of the same rows for another thread, which may outlive nothing but its own use of this snapshot; null where there
    /// cannot be one.
    [[nodiscard]] virtual std::unique_ptr<RowReader> another_reader() { return nullptr; }
    /// Auto-number state (sequence or sqlite_sequence) of a column with auto_number: the next value the leader would give, or
    /// nothing when it cannot be told.
    [[nodiscard]] virtual std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) = 0;
};

/// A leader with one capture method. Opens connections when it needs them; cheap to make. One thread.
/// Errors: RetryableError, RefusedError (nothing was written), HaltError.
class Leader {
public:
    virtual ~Leader() = default;

    [[nodiscard]] virtual Engine engine() const = 0;
    [[nodiscard]] virtual CaptureMethod capture() const = 0;
    [[nodiscard]] virtual PositionKind position_kind() const = 0;
    /// For messages: host, port and database or path, without secrets.
    [[nodiscard]] virtual std::string describe() const = 0;

    /// Can a stream be followed that leaves nothing on the leader (StreamRequest::temporary)?
    [[nodiscard]] virtual bool offers_temporary() const { return false; }

    /// Who this is. A SQLite leader that was never used has an empty `system` until start().
    virtual LeaderIdentity identify() = 0;
    /// Where the leader's log is now.
    virtual Position current_position() = 0;

    /// The tables the request selects, in their present shape. Throws RefusedError when a pattern matches nothing, or nothing is selected.
    virtual std::vector<TablePtr> select_tables(const StreamRequest& request) = 0;
    /// What no follower gets: views, triggers, functions, virtual tables …, one line each, as far as the selection speaks of it.
    virtual std::vector<std::string> skipped(const StreamRequest&) { return {}; }
    /// Everything that can be found wrong before the first write: settings, rights, tables without identity, another follower's
    /// stream of the same name, a `copying` database. Throws RefusedError.
    virtual void check(const StreamRequest& request, const std::vector<TablePtr>& tables) = 0;

    /// Installs capture for the stream (removing what an unfinished earlier start of the same follower left) and returns the snapshot
    /// from whose position follow() will continue.
    virtual std::unique_ptr<Snapshot> start(const StreamRequest& request) = 0;
    /// A snapshot without capture; leaves nothing behind.
    virtual std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) = 0;

    /// Makes sure that these tables, which the request selects, are captured for a stream that exists, from before the position of the
    /// returned snapshot on; it holds just these tables, and follow() reaches its position exactly. The stream's source is closed. What
    /// was captured of them before is void. Throws RefusedError for tables that this stream cannot have.
    virtual std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) = 0;
    /// Takes tables out of the stream's capture again that snapshot_of() put in; those that are not there are none of its business.
    virtual void release(const StreamRequest& request, const std::vector<TableName>& tables) = 0;

    /// Continues a stream after checkpoint.position. Verifies identity, timeline, `acked` and tail against the checkpoint; a
    /// gap is a HaltError that names it and the way out.
    virtual std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) = 0;

    /// Writes a marker to the leader's log and returns a position at or after everything committed before the call. The stream
    /// reaches that position also when nothing else happens.
    virtual Position mark(const StreamRequest& request) = 0;

    /// Whether the stream, when its follower is at `position`, has everything the leader committed for it.
    virtual bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) = 0;

    /// Removes what the stream made on the leader; with no name, every stream's. Returns one line per removed object.
    /// An active slot is a RefusedError. `dry_run` refuses the same but removes nothing.
    virtual std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) = 0;
};

}  // namespace rowferry
