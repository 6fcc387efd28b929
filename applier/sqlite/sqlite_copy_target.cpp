#include "applier/sqlite/sqlite_copy_target.h"

#include <fmt/format.h>

namespace rowferry {
namespace {

// Each transaction ends with a sync; the write-ahead log grows by about this much between two.
constexpr std::uint64_t kRows = 50'000;
constexpr std::uint64_t kBytes = 16 * 1024 * 1024;
constexpr std::size_t kCopyArenaBytes = 256 * 1024;

std::uint64_t size_of(const Change& change) {
    std::uint64_t size = 0;
    for (const Cell& cell : change.after)
        size += cell.kind() == CellKind::text || cell.kind() == CellKind::blob ? cell.bytes().size() + 2 : 9;
    return size;
}

}  // namespace

SqliteCopyTarget::SqliteCopyTarget(SqliteConnection& connection, const TablePtr& table, const FollowerTable& follower, bool own_transactions)
    : connection_{connection}, plan_{connection.db(), *table, follower}, own_transactions_{own_transactions} {}

SqliteCopyTarget::~SqliteCopyTarget() {
    if (own_transactions_) connection_.db().rollback();
}

void SqliteCopyTarget::write(std::span<const Event> rows) {
    for (const Event& event : rows) {
        const auto& change = std::get<Change>(event);
        if (own_transactions_ && !connection_.db().in_transaction()) connection_.db().execute("BEGIN IMMEDIATE");
        try {
            write(change);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::halted) throw;
            throw HaltError{fmt::format("snapshot of table {}, row {}: {}", to_string(change.table->name), SqliteTablePlan::describe_row(change), error.what())};
        }
        ++rows_;
        bytes_ += size_of(change);
        if (rows_ >= kRows || bytes_ >= kBytes) finish();
    }
}

void SqliteCopyTarget::write(const Change& change) {
    if (arena_.used() > kCopyArenaBytes) arena_.clear();
    plan_.load(change, arena_);
    try {
        if (plan_.insert() != 1) throw HaltError{"the row was not inserted: a trigger of the follower's own holds it back"};
    } catch (const SqliteError& error) {
        if (!error.duplicate()) throw;
        throw HaltError{fmt::format("a row with one of its unique keys is already there: {}", error.what())};
    }
}

void SqliteCopyTarget::finish() {
    if (own_transactions_ && connection_.db().in_transaction()) connection_.commit();
    rows_ = 0;
    bytes_ = 0;
}

}  // namespace rowferry
