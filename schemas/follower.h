#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schemas/checkpoint.h"
#include "schemas/leader.h"
#include "schemas/row_reader.h"
#include "schemas/sink.h"
#include "schemas/table_copy.h"

namespace rowferry {

enum class OnExisting : std::uint8_t { refuse, truncate };

/// What happens when the leader changes the shape of a replicated table.
enum class DdlMode : std::uint8_t {
    stop,   ///< The stream stops there and says what to run; it goes on once the follower has the new shape.
    apply,  ///< The follower is changed in order, in the transaction of the change.
};

struct FollowerOptions {
    OnExisting on_existing = OnExisting::refuse;
    bool fire_triggers = false;    ///< SQLite: user triggers on the follower's tables are accepted.
    DdlMode ddl = DdlMode::stop;
};

/// A follower table some of whose rows are kept beside it, because a value does not fit (OnMismatch::quarantine).
struct QuarantinedTable {
    TableName name;  ///< On the follower.
    std::uint64_t keys = 0;
};

/// Rows on their way into one table during the copy. Writes are durable at the latest when the copy is finished.
class CopyTarget {
public:
    virtual ~CopyTarget() = default;
    /// Loads the inserts of a batch, all of one table. The batch need not outlive the call.
    virtual void write(std::span<const Event> rows) = 0;
    /// The form in which rows need no look on their way into this table, as both sides have the same columns; cells where they do.
    [[nodiscard]] virtual RowForm raw_form() const { return RowForm::cells; }
    /// Loads rows in that form. The content of `rows` is taken, so that it can be filled again.
    virtual void write_raw(RawRows& rows);
    /// These rows are complete. Throws UnknownOutcomeError when nobody can tell whether they are kept.
    virtual void finish() = 0;
};

/// A way into the follower beside others, for the copy: one thread uses it and the targets made from it, one at a time.
class CopyLane {
public:
    virtual ~CopyLane() = default;
    /// For a part of the table's rows, or all of them: a transaction of its own, which ends with finish() and is taken back without.
    virtual std::unique_ptr<CopyTarget> copy_into(const TablePtr& table) = 0;
};

/// A follower database. One thread. The same object serves the copy and, after it, opens the sink.
/// Errors: RetryableError, RefusedError (nothing was written), HaltError.
class Follower {
public:
    virtual ~Follower() = default;

    [[nodiscard]] virtual Engine engine() const = 0;
    /// For messages: host, port and database or path, without secrets.
    [[nodiscard]] virtual std::string describe() const = 0;

    /// Opens the database, to find out early that it cannot be. SQLite: creates the file (WAL mode) when `create` and it is missing.
    virtual void open(bool create) = 0;
    /// Is there a database at all? Asked before open(false) where a missing one means that there is nothing to show or remove.
    [[nodiscard]] virtual bool exists() const { return true; }
    /// After a refusal: removes the file that open(true) made, if nothing was written to it since. Never throws.
    virtual void undo_open() noexcept {}
    /// Is this the same database as `leader`? PostgreSQL: system identifier and database; SQLite: device and inode.
    virtual bool is_same_database(Leader& leader) = 0;

    /// Takes the stream's lock until destruction. Who only looks, and a session that was killed, holds it for a moment: `patience` is for them.
    /// Throws RefusedError that says who holds it where that is known.
    virtual void lock(const std::string& stream, std::chrono::milliseconds patience = kLockPatience) = 0;
    static constexpr std::chrono::milliseconds kLockPatience{3000};
    /// Every checkpoint in this database, or that of one stream, without creating anything. Needs open(). Throws HaltError for a newer layout.
    virtual std::vector<Checkpoint> load_checkpoints() = 0;
    std::optional<Checkpoint> load_checkpoint(const std::string& stream);

    /// The stream's tables with rows in quarantine, by name. Needs open().
    virtual std::vector<QuarantinedTable> quarantined(const std::string& /*stream*/) { return {}; }

    /// Can these tables be copied into this database? Existing tables: shape, rows (refused unless on_existing truncate or the
    /// same stream's own unfinished copy), user triggers, rights. Writes nothing. Throws RefusedError; returns notes for the log (one line
    /// each: what is not an identity mapping).
    virtual std::vector<std::string> check_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                                  const Checkpoint* unfinished) = 0;

    /// Writes the checkpoint in state `copying`, makes missing tables, empties existing ones. Tables are never dropped.
    virtual void start_copy(const Checkpoint& initial, const std::vector<TablePtr>& tables, const FollowerOptions& options) = 0;
    /// For `clone`: the same in one transaction that finish_clone() commits, and without checkpoint tables.
    virtual void start_clone(const std::vector<TablePtr>& tables, const FollowerOptions& options) = 0;
    /// Between start_copy/start_clone and finish_*; one table at a time.
    virtual std::unique_ptr<CopyTarget> copy_into(const TablePtr& table) = 0;
    /// Between start_copy and finish_copy, instead of copy_into(): a lane that can work beside others; null where there is but one way in.
    virtual std::unique_ptr<CopyLane> copy_lane() { return nullptr; }
    /// Primes the auto-number of a column so that the follower's own next value would be `next`.
    virtual void set_next_number(const TablePtr& table, std::uint16_t column, std::int64_t next) = 0;
    /// Unique constraints, indexes, foreign keys; then, in the transaction of the last of them, the checkpoint `ready`.
    virtual void finish_copy(const Checkpoint& ready, const std::vector<TablePtr>& tables) = 0;
    virtual void finish_clone(const std::vector<TablePtr>& tables) = 0;

    /// Why values of these tables, as the stream carries them, have to come as text; empty when each of their columns is here under the same type
    /// and every one of them may come in PostgreSQL's binary form (pg_binary.h). The tables have to be there.
    virtual std::string binary_obstacle(const std::vector<TablePtr>& /*tables*/) { return "the follower takes no binary form"; }

    /// Would readers, or another stream, have to wait for a transaction that is open for long? Then none is held open for what the leader may not commit.
    [[nodiscard]] virtual bool long_transaction_hurts() { return false; }

    /// The sink that continues from `checkpoint` (state ready). Verifies that the tables still fit.
    virtual std::unique_ptr<Sink> open_sink(const Checkpoint& checkpoint, const FollowerOptions& options) = 0;

    /// For copying single tables of a stream whose checkpoint is `ready`. Lives no longer than the follower.
    virtual std::unique_ptr<TableCopier> copier(const std::string& stream) = 0;

    /// Removes checkpoint and table states of one stream or all, and the helper tables with the last. Returns one line per removed object.
    virtual std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) = 0;
};

}  // namespace rowferry
