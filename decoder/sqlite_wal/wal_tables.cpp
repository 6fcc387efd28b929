#include "decoder/sqlite_wal/wal_tables.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/row_filter.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/shape_diff.h"
#include "schemas/table_subset.h"

namespace rowferry {
namespace {

class FilterTest : public RowTest {
public:
    FilterTest(const TableSchema& table, const std::string& expression, const std::string& encoding) : filter_{table, expression, encoding} {}
    [[nodiscard]] bool passes(std::span<const Cell> row) override {
        return filter_.passes([&](std::uint16_t column) { return row[column]; });
    }

private:
    RowFilter filter_;
};

std::string copy_again(const TableSchema& table) {
    return fmt::format("copy it again with `rowferry copy-table LEADER FOLLOWER --table {}`, or all of the stream after a `rowferry drop`", printable(table.name.name, 100));
}

/// Can these columns still tell rows apart?
bool identifies(const TableSchema& table, const ColumnIndexes& identity) {
    const auto in_identity = [&](std::uint16_t column) { return std::ranges::find(identity, column) != identity.end(); };
    return std::ranges::all_of(identity, [&](std::uint16_t column) { return table.columns[column].not_null; }) &&
           std::ranges::any_of(table.unique_keys, [&](const UniqueKey& key) { return std::ranges::all_of(key.columns, in_identity); });
}

}  // namespace

WalTablePart wal_table_part(const StreamRequest& request, const TableSchema& whole) {
    WalTablePart part;
    if (request.rules.empty()) {
        part.carried = std::make_shared<const TableSchema>(whole);
        part.columns.resize(whole.columns.size());
        std::iota(part.columns.begin(), part.columns.end(), std::uint16_t{0});
        return part;
    }
    const RulesOfTable rules = request.rules.of(whole);
    part.columns = carried_columns(rules, whole);
    part.filter = rules.filter.value_or("");
    if (part.columns.size() == whole.columns.size()) {
        part.carried = std::make_shared<const TableSchema>(whole);
        return part;
    }
    TableSchema from = whole;
    const auto carried = [&](std::uint16_t column) { return std::ranges::find(part.columns, column) != part.columns.end(); };
    // A copy identifies no rows.
    if (request.one_off && !std::ranges::all_of(from.identity, carried)) from.identity.clear();
    part.carried = std::make_shared<const TableSchema>(with_columns(from, part.columns));
    return part;
}

WalTables::WalTables(const StreamRequest& request, const Checkpoint& checkpoint, std::string where, std::string encoding)
    : request_{request}, passed_over_{checkpoint.passed_over}, where_{std::move(where)}, encoding_{std::move(encoding)} {
    for (const TableState& state : checkpoint.tables) known_.push_back(state.shape);
}

void WalTables::halt(const TableSchema& table, const std::string& what) const {
    throw HaltError{fmt::format("{}: {}: {}; {}", where_, to_string(table.name), what, copy_again(table))};
}

CarriedTable WalTables::carry(const TableSchema& whole) const {
    const WalTablePart part = wal_table_part(request_, whole);
    CarriedTable carried;
    carried.carried = part.carried;
    carried.columns = part.columns;
    if (!part.filter.empty()) carried.test = std::make_shared<FilterTest>(whole, part.filter, encoding_);
    return carried;
}

CarriedTable WalTables::appeared(const SqliteTable& table) {
    const TableSchema& now = table.schema;
    const auto known = std::ranges::find(known_, now.name, &TableSchema::name);
    if (begun_ || known == known_.end()) {
        const bool passed_over = std::ranges::find(passed_over_, now.name) != passed_over_.end();
        if (begun_ && !passed_over && request_.selection.selects(Engine::sqlite, now.name)) {
            spdlog::warn("{} is new on the leader and matches the patterns of stream {}, but is not part of it: add it with `rowferry copy-table LEADER FOLLOWER --table {}`",
                         to_string(now.name), request_.stream, quote_table(now.name));
            new_.push_back(now.name);
        }
        return {};
    }
    const TableSchema shape = std::move(*known);
    known_.erase(known);
    TableSchema whole = now;
    // What the columns held when the table was copied is known to the checkpoint only.
    for (ColumnSchema& column : whole.columns)
        if (const auto index = shape.column_index(column.name)) column.profile = shape.columns[*index].profile;
    CarriedTable carried = carry(whole);
    if (!same_columns(shape, *carried.carried))
        halt(shape, fmt::format("its columns were ({}) when the follower was here, and are ({})", describe_columns(shape), describe_columns(*carried.carried)));
    if (shape.identity != carried.carried->identity) {
        if (!shape.identity.empty() && !identifies(*carried.carried, shape.identity)) halt(shape, "the unique key that identified its rows is gone");
        auto kept = std::make_shared<TableSchema>(*carried.carried);
        kept->identity = shape.identity;
        carried.carried = std::move(kept);
    }
    return carried;
}

CarriedTable WalTables::changed(const CarriedTable& was, const SqliteTable& table, const SqliteTable& now) {
    // Not part of the stream; by another name it may be one that the patterns select.
    if (!was.carried) return table.schema.name == now.schema.name ? CarriedTable{} : appeared(now);
    const TableSchema& before = *was.carried;
    TableSchema whole = now.schema;
    if (was.test || was.columns.size() != before.columns.size() || !request_.rules.empty()) {
        // A part of a table: its indexes may change, its columns may not.
        CarriedTable carried = carry(whole);
        if (before.name != whole.name || !same_columns(before, *carried.carried) || before.identity != carried.carried->identity)
            halt(before, "the table changed its shape on the leader, and the stream carries it by rules for its columns or rows");
        return carried;
    }
    for (ColumnSchema& column : whole.columns)
        for (const ColumnSchema& old : before.columns)
            if (column.attribute != 0 && column.attribute == old.attribute) column.profile = old.profile;
    // Rows go on being told apart by what told them apart before.
    ColumnIndexes identity;
    for (const std::uint16_t column : before.identity)
        if (const auto still = same_column(before, column, whole)) identity.push_back(*still);
    std::ranges::sort(identity);
    CarriedTable carried;
    if (identity.size() != before.identity.size() || (!identity.empty() && !identifies(whole, identity)))
        carried.obstacle = "the unique key that identified its rows is gone; " + copy_again(before);
    else
        whole.identity = identity;
    carried.carried = std::make_shared<const TableSchema>(std::move(whole));
    carried.columns.resize(carried.carried->columns.size());
    std::iota(carried.columns.begin(), carried.columns.end(), std::uint16_t{0});
    const bool same_names = std::ranges::equal(before.columns, carried.carried->columns, {}, &ColumnSchema::name, &ColumnSchema::name);
    carried.announce = !carried.obstacle.empty() || before.name != carried.carried->name || !same_names || !same_columns(before, *carried.carried);
    carried.leader_after = carried.carried;
    return carried;
}

void WalTables::unreadable(const std::string& name, const std::string& why) {
    const bool known = std::ranges::any_of(known_, [&](const TableSchema& table) { return same_sqlite_name(table.name.name, name); });
    if (known || request_.selection.selects(Engine::sqlite, {"main", name}))
        throw HaltError{fmt::format("{}: the definition of table {} cannot be read by this rowferry's SQLite ({}): {}. Leave it out with --exclude-table, or use a rowferry with a newer SQLite", where_,
                                    printable(name, 100), sqlite3_libversion(), printable(why, 200))};
}

void WalTables::begun() {
    if (!known_.empty()) halt(known_.front(), "the leader has no such table at the follower's position");
    begun_ = true;
}

}  // namespace rowferry
