#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/position.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// How a Begin…Commit relates to the leader's own transactions.
enum class Boundary : std::uint8_t {
    exact,   ///< One leader transaction.
    merged,  ///< Several leader transactions in one, cut at a commit boundary.
};

struct Begin {
    /// A place strictly before the transaction's position and at or after the position of the one before it.
    /// PostgreSQL: where the commit record starts (pgoutput's final_lsn). SQLite triggers: the position reached before.
    Position after;
    std::uint32_t xid = 0;  ///< 0 where the capture method knows none.
    Boundary boundary = Boundary::exact;
    /// The leader has not committed it yet: a TakenBack may stand where its Commit is expected. Only for who asks for it (StreamRequest).
    bool in_progress = false;
};

enum class Operation : std::uint8_t { insert, update, remove };

/// One row-level change. Images are as wide as table->columns and in that order.
struct Change {
    const TableSchema* table = nullptr;  ///< Kept alive by the batch.
    Operation operation = Operation::insert;
    /// Update and remove: the row before. Identity columns are sent, the others are sent or absent. Empty for an insert, and for an
    /// update that left the identity as it was and sent no old image: then the identity is that of `after`.
    std::span<const Cell> before;
    std::span<const Cell> after;  ///< Insert and update; cells may be unchanged in an update. Empty for a remove.
};

struct Truncate {
    std::span<const TableSchema* const> tables;  ///< One statement of the leader; cascaded tables are listed.
    bool cascade = false;
    bool restart_identity = false;
};

/// The leader changed the shape of a table, at this place between the row changes of a transaction. Row changes behind it have the new shape.
struct ShapeChange {
    const TableSchema* before = nullptr;  ///< Kept alive by the batch, as `after` is.
    const TableSchema* after = nullptr;   ///< Null: the table was dropped.
    const TableSchema* leader_after = nullptr;  ///< `after` as the leader has it, without the stream's rules: what the checkpoint keeps.
    /// Why the follower cannot be brought there by the stream (a rewrite, say); empty otherwise. In the arena.
    std::string_view obstacle;
};

struct Commit {
    Position position;
    std::int64_t time_us = 0;     ///< The leader's clock, µs since 1970-01-01 UTC; 0 where unknown.
    std::string_view resume;      ///< Source-private, kept by the checkpoint only. In the arena.
};

/// Of the transaction that is in progress nothing holds: it rolled back, or comes again, whole, behind what came in between.
struct TakenBack {};

/// The leader has nothing for this stream up to here. Only between transactions.
struct Idle {
    Position position;
};

using Event = std::variant<Begin, Change, Truncate, ShapeChange, Commit, Idle, TakenBack>;

/// What crosses every seam: events in commit order whose cells are views into the batch's own arena. A transaction may
/// span many batches and a batch may hold many transactions. Filled by one thread, immutable after hand-over, recycled.
class Batch {
public:
    Batch() = default;
    Batch(Batch&&) noexcept = default;
    Batch& operator=(Batch&&) noexcept = default;

    [[nodiscard]] Arena& arena() noexcept { return arena_; }
    [[nodiscard]] std::span<const Event> events() const noexcept { return events_; }
    [[nodiscard]] bool empty() const noexcept { return events_.empty(); }
    /// Memory that the batch holds for its content: arena and events. The queue and the groups are bounded by it.
    [[nodiscard]] std::size_t size_bytes() const noexcept { return arena_.used() + events_.size() * sizeof(Event); }

    /// Before hand-over only, for what stands between a source and the queue.
    [[nodiscard]] std::span<Event> events_being_filled() noexcept { return events_; }

    void add(const Event& event) { events_.push_back(event); }
    /// Replaces the last event when it is an Idle as well, so that keepalives do not pile up.
    void add_idle(Position position);

    /// Keeps `table` alive as long as the batch's content and returns a plain pointer for its changes.
    const TableSchema* keep(const TablePtr& table);
    /// The pointer that keep() was given for it; null when it was not.
    [[nodiscard]] TablePtr kept(const TableSchema* table) const;

    void clear() noexcept;

private:
    Arena arena_;
    std::vector<Event> events_;
    std::vector<TablePtr> tables_;
};

}  // namespace rowferry
