#include "triggers/sqlite/sqlite_snapshot.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/capture_store.h"
#include "db/column_profile.h"
#include "triggers/sqlite/table_part.h"

namespace rowferry {
namespace {
constexpr int kBusyTimeoutMs = 5000;
}

Cell copy_cell(const Cell& cell, Arena& arena) {
    if (cell.kind() == CellKind::text) return Cell::text(arena.copy(cell.bytes()));
    if (cell.kind() == CellKind::blob) return Cell::blob(arena.copy(cell.bytes()));
    return cell;
}

bool uses_wal(SqliteDatabase& db) { return db.query_text("PRAGMA main.journal_mode") == "wal"; }

SqliteSnapshot::SqliteSnapshot(std::shared_ptr<ProfileMemory> leader, const std::string& stream, const std::vector<std::string>& tables,
                               const StreamRequest& request, const StopSignal& stop)
    : memory_{std::move(leader)}, leader_{memory_->db()}, stop_{stop} {
    leader_.set_busy_timeout(kBusyTimeoutMs);
    leader_.execute("PRAGMA query_only = 1");
    if (uses_wal(leader_)) {
        view_ = &leader_;
    } else {
        copy_ = std::make_unique<BackupCopy>(leader_, stop);
        view_ = &copy_->database();
    }
    view_->execute("BEGIN");
    view_->guard_utf16();
    read_tables(stream, tables, request);
    if (request.need_profiles) profile_tables(stop);
}

SqliteSnapshot::~SqliteSnapshot() {
    rows_ = {};
    view_->rollback();
    sqlite3_exec(leader_.handle(), "PRAGMA query_only = 0", nullptr, nullptr, nullptr);
}

void SqliteSnapshot::add_table(const TablePtr& whole, const StreamRequest& request) {
    const TablePart part = request.rules.empty() ? whole_part(whole) : part_of_table(request, whole, view_->query_text("PRAGMA main.encoding"));
    tables_.push_back(part.carried);
    if (part.filter) filters_[whole->name] = part.expression;
}

void SqliteSnapshot::read_tables(const std::string& stream, const std::vector<std::string>& names, const StreamRequest& request) {
    if (stream.empty()) {
        for (const std::string& name : names) {
            auto table = read_sqlite_table(*view_, name);
            if (!table) throw RetryableError{fmt::format("{}: table {} went away", printable(leader_.path()), printable(name, 100))};
            add_table(std::make_shared<TableSchema>(std::move(table->schema)), request);
        }
        return;
    }
    const auto record = read_stream(*view_, stream);
    if (!record) throw HaltError{fmt::format("{}: the stream {} was removed while it was being set up", printable(leader_.path()), stream)};
    for (const TablePtr& table : read_captured_shapes(*view_, *record, names)) add_table(table, request);
    const LogEnd end = read_log_end(*view_);
    position_ = {end.seq, 0};
    resume_ = std::to_string(end.tag);
    // The rows that follow will be read with these shapes, so they must be the ones the triggers were made for.
    const std::string where = fmt::format("{}: stream {} at {}", printable(leader_.path()), stream, to_string(PositionKind::sequence, position_));
    const std::vector<TablePart> verified = verify_capture(*view_, tables_, request, where);
    for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i] = verified[i].carried;
}

void SqliteSnapshot::profile_tables(const StopSignal& stop) {
    for (TablePtr& table : tables_) {
        auto profiled = std::make_shared<TableSchema>(*table);
        if (view_ == &leader_)
            memory_->profile(*profiled, filters_[table->name], stop);
        else
            profile_columns(*view_, *profiled, filters_[table->name], stop);
        table = std::move(profiled);
    }
}

std::optional<std::uint64_t> SqliteSnapshot::estimated_rows(const TableSchema& table) {
    const auto found = read_sqlite_table(*view_, table.name.name);
    if (!found || found->rowid_name.empty()) return std::nullopt;
    // One aggregate at a time is a jump to an end of the table; both in one SELECT would be a scan.
    SqliteStatement ends = view_->prepare(fmt::format("SELECT (SELECT min({0}) FROM main.{1}), (SELECT max({0}) FROM main.{1})",
                                                      found->rowid_name, quote_identifier(table.name.name)));
    if (!ends.step() || ends.is_null(0)) return 0;
    const auto spread = static_cast<std::uint64_t>(ends.integer(1)) - static_cast<std::uint64_t>(ends.integer(0));
    // Rowids may be far apart. No row takes less than a few bytes of the file.
    const auto bytes =
        static_cast<std::uint64_t>(view_->query_integer("PRAGMA main.page_count") * view_->query_integer("PRAGMA main.page_size"));
    return std::min(spread, bytes / 4) + 1;
}

RowForm SqliteSnapshot::open_table(const TablePtr& table, const std::string&, RowForm) {
    std::string list;
    for (const ColumnSchema& column : table->columns) list += (list.empty() ? "" : ",") + quote_identifier(column.name);
    rows_ = view_->prepare(fmt::format("SELECT {} FROM main.{}{}", list, quote_identifier(table->name.name), where_clause(filters_[table->name])));
    open_table_ = table;
    return RowForm::cells;
}

bool SqliteSnapshot::read_rows(Batch& batch, std::size_t budget) {
    if (!open_table_) return false;
    const TableSchema* table = batch.keep(open_table_);
    while (batch.size_bytes() < budget) {
        stop_.check();
        if (!rows_.step()) {
            rows_ = {};
            open_table_.reset();
            return false;
        }
        const std::span<Cell> cells = batch.arena().array<Cell>(table->columns.size());
        for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = copy_cell(rows_.cell(static_cast<int>(i)), batch.arena());
        batch.add(Change{table, Operation::insert, {}, cells});
    }
    return true;
}

std::optional<std::int64_t> SqliteSnapshot::next_number(const TableSchema& table, std::uint16_t column) {
    const ColumnSchema& schema = table.columns.at(column);
    if (schema.auto_number == AutoNumber::none) return std::nullopt;
    SqliteStatement highest =
        view_->prepare(fmt::format("SELECT max({}) FROM main.{}", quote_identifier(schema.name), quote_identifier(table.name.name)));
    std::int64_t last = 0;
    if (highest.step() && !highest.is_null(0)) last = std::max(last, highest.integer(0));
    if (schema.autoincrement) {
        SqliteStatement sequence = view_->prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?1");
        sequence.bind(1, table.name.name);
        if (sequence.step()) last = std::max(last, sequence.integer(0));
    }
    if (last == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    return last + 1;
}

}  // namespace rowferry
