#include "applier/sqlite/sqlite_table_plan.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/same_cell.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

constexpr std::size_t kCachedUpdates = 64;  // Sets of columns per table; an application uses a handful.

/// A statement has parameters up to the highest one that it names.
void bind_image(SqliteStatement& statement, const std::vector<Cell>& image, std::size_t offset) {
    const auto limit = static_cast<std::size_t>(sqlite3_bind_parameter_count(statement.handle()));
    for (std::size_t i = 0; i < image.size() && offset + i < limit; ++i)
        if (image[i].is_sent()) statement.bind(static_cast<int>(offset + i + 1), image[i]);
}

bool is_negative_zero(const Cell& cell) { return cell.kind() == CellKind::real && cell.as_real() == 0.0 && std::signbit(cell.as_real()); }

/// INTEGER and NUMERIC affinity store every value alike.
bool is_number(Affinity affinity) { return affinity == Affinity::integer || affinity == Affinity::numeric; }

std::string key_value(const Cell& cell) {
    constexpr std::size_t kShown = 80;
    switch (cell.kind()) {
        case CellKind::integer: return fmt::format("{}", cell.as_integer());
        case CellKind::real: return fmt::format("{}", cell.as_real());
        case CellKind::text: return fmt::format("'{}'", printable(cell.bytes(), kShown));
        case CellKind::blob: {
            std::string hex;
            for (const char c : cell.bytes().substr(0, kShown / 2)) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
            return fmt::format("x'{}'{}", hex, cell.bytes().size() > kShown / 2 ? "…" : "");
        }
        case CellKind::null: return "NULL";
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary: return "?";
    }
    throw std::logic_error{"cell kind"};
}

}  // namespace

void check_follower_table(const TableSchema& leader, const FollowerTable& follower) {
    const std::string where = fmt::format("the follower's table {}", printable(follower.name, 100));
    if (follower.kind != "table") throw RefusedError{fmt::format("{} is a {} table, so it cannot take the rows of {}", where, follower.kind, to_string(leader.name))};
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) {
        const ColumnSchema& column = leader.columns[i];
        const FollowerColumn* target = follower.column(column.name);
        if (target == nullptr)
            throw RefusedError{fmt::format("{} has no column {}, which {} has; add it, or drop the table so that it is made anew", where,
                                           printable(column.name, 100), to_string(leader.name))};
        if (target->generated)
            throw RefusedError{fmt::format("{}: column {} is generated there but a plain column of the leader", where, printable(column.name, 100))};
        const Conversion conversion = resolve_conversion(leader, i, Engine::sqlite, target->type);
        const Affinity affinity = follower_affinity(target->type, follower.strict);
        const Affinity wanted = follower_affinity(column.type, leader.strict);
        const bool both_numbers = is_number(affinity) && is_number(wanted);
        if (leader.engine == Engine::sqlite && column.wanted_type.empty() && conversion == Conversion::identity && affinity != Affinity::blob && affinity != wanted && !both_numbers)
            throw RefusedError{fmt::format("{}: column {} is declared {}, which has another type affinity than the leader's {}, so values would change", where,
                                           printable(column.name, 100), printable(target->type, 80), column.type.empty() ? "(no type)" : printable(column.type, 80))};
    }
    for (const FollowerColumn& column : follower.columns) {
        const auto same = [&](const ColumnSchema& c) { return sqlite_folded(c.name) == sqlite_folded(column.name); };
        if (column.not_null && !column.has_default && !column.generated && std::none_of(leader.columns.begin(), leader.columns.end(), same))
            throw RefusedError{fmt::format("{}: column {} is NOT NULL without a default, and the leader has no such column", where, printable(column.name, 100))};
    }
    const bool keyless = leader.identity.empty() || (leader.identity.size() == leader.columns.size() && leader.unique_keys.empty());
    if (keyless && !leader.insert_only && follower.rowid_name().empty())
        throw RefusedError{fmt::format("{} has no rowid to be reached by, which the rows of {} need as they have no key", where, to_string(leader.name))};
}

SqliteTablePlan::SqliteTablePlan(SqliteDatabase& db, const TableSchema& leader, const FollowerTable& follower)
    : db_{db}, leader_{leader}, sql_{(check_follower_table(leader, follower), leader), follower}, before_(leader.columns.size()),
      after_(leader.columns.size()), set_(leader.columns.size()) {
    for (std::uint16_t i = 0; i < leader_.columns.size(); ++i) {
        const std::string& type = follower.column(leader_.columns[i].name)->type;
        conversions_.push_back(resolve_conversion(leader_, i, Engine::sqlite, type));
        drops_sign_.push_back(follower_affinity(type, follower.strict) == Affinity::real);
    }
}

void SqliteTablePlan::convert_image(std::span<const Cell> image, std::vector<Cell>& converted, Arena& arena) {
    for (std::size_t i = 0; i < conversions_.size(); ++i) {
        if (conversions_[i] == Conversion::identity) {
            converted[i] = image[i];
            continue;
        }
        try {
            converted[i] = convert(conversions_[i], image[i], arena);
            if (drops_sign_[i] && is_negative_zero(converted[i]))
                throw ValueError{"-0 would lose its sign in a column of REAL affinity; a follower column declared without a type keeps it"};
        } catch (const ValueError& error) {
            throw ValueError{fmt::format("column {}: {}", printable(leader_.columns[i].name, 100), error.what())};
        }
    }
}

void SqliteTablePlan::load(const Change& change, Arena& arena) {
    const std::size_t width = conversions_.size();
    const bool needs_after = change.operation != Operation::remove;
    if ((needs_after && change.after.size() != width) || (!change.before.empty() && change.before.size() != width))
        throw HaltError{"the change has another number of columns than its table"};
    if (needs_after) convert_image(change.after, after_, arena);
    if (change.operation == Operation::insert) {
        for (std::size_t i = 0; i < width; ++i)
            if (!after_[i].is_sent()) throw HaltError{fmt::format("column {}: the leader sent no value", printable(leader_.columns[i].name, 100))};
        return;
    }
    if (!change.before.empty()) convert_image(change.before, before_, arena);
    load_identity(change);
    if (change.operation == Operation::update) choose_columns(change);
}

void SqliteTablePlan::load_identity(const Change& change) {
    if (change.before.empty()) {
        std::fill(before_.begin(), before_.end(), Cell::absent());
        if (change.operation == Operation::update)
            for (const auto column : leader_.identity) before_[column] = after_[column];
    }
    full_before_ = std::all_of(before_.begin(), before_.end(), [](const Cell& cell) { return cell.is_sent(); });
    const bool complete = sql_.keyless() ? full_before_ : std::all_of(leader_.identity.begin(), leader_.identity.end(), [&](auto column) {
        return before_[column].is_sent();
    });
    if (!complete) throw HaltError{"the leader did not send what identifies the row; its replica identity has changed"};
}

void SqliteTablePlan::choose_columns(const Change& change) {
    for (std::size_t i = 0; i < after_.size(); ++i) set_[i] = after_[i].is_sent();
    if (sql_.keyless()) return;
    for (const auto column : leader_.identity)
        if (change.before.empty() || same_cell(before_[column], after_[column])) set_[column] = false;
}

SqliteStatement& SqliteTablePlan::prepared(SqliteStatement& statement, std::string (SqlitePlanSql::*text)() const) {
    if (!statement) statement = db_.prepare((sql_.*text)());
    return statement;
}

SqliteStatement& SqliteTablePlan::update_statement() {
    for (Update& update : updates_)
        if (update.set == set_) return update.statement;
    if (updates_.size() == kCachedUpdates) updates_.clear();
    updates_.push_back({set_, db_.prepare(sql_.update(set_))});
    return updates_.back().statement;
}

void SqliteTablePlan::bind_identity(SqliteStatement& statement) const {
    if (sql_.keyless()) return bind_before(statement);
    for (const auto column : leader_.identity) statement.bind(column + 1, before_[column]);
}

void SqliteTablePlan::bind_before(SqliteStatement& statement) const { bind_image(statement, before_, 0); }
void SqliteTablePlan::bind_after(SqliteStatement& statement) const { bind_image(statement, after_, after_.size()); }

std::int64_t SqliteTablePlan::insert() {
    SqliteStatement& statement = prepared(insert_, &SqlitePlanSql::insert);
    bind_after(statement);
    return statement.run();
}

std::int64_t SqliteTablePlan::update() {
    SqliteStatement& statement = update_statement();
    bind_identity(statement);
    const std::size_t width = after_.size();
    for (std::size_t i = 0; i < width; ++i)
        if (set_[i]) statement.bind(static_cast<int>(width + i + 1), after_[i]);
    return statement.run();
}

std::int64_t SqliteTablePlan::remove() {
    SqliteStatement& statement = prepared(remove_, &SqlitePlanSql::remove);
    bind_identity(statement);
    return statement.run();
}

std::int64_t SqliteTablePlan::remove_all() { return prepared(remove_all_, &SqlitePlanSql::remove_all).run(); }

std::int64_t SqliteTablePlan::displace(Operation operation) {
    const std::vector<FollowerIndex>& uniques = sql_.leader_uniques();
    displacements_.resize(uniques.size());
    std::int64_t removed = 0;
    for (std::size_t i = 0; i < uniques.size(); ++i) {
        const bool update = operation == Operation::update;
        SqliteStatement& statement = update ? displacements_[i].on_update : displacements_[i].on_insert;
        if (!statement) statement = db_.prepare(sql_.displace(uniques[i], update));
        if (update) bind_before(statement);
        bind_after(statement);
        removed += statement.run();
    }
    return removed;
}

bool SqliteTablePlan::row_exists() {
    SqliteStatement& statement = prepared(count_rows_, &SqlitePlanSql::count_rows);
    bind_identity(statement);
    const bool found = statement.step() && statement.integer(0) != 0;
    statement.reset();
    return found;
}

bool SqliteTablePlan::same_row_exists() {
    SqliteStatement& statement = prepared(count_same_rows_, &SqlitePlanSql::count_same_rows);
    bind_before(statement);
    const bool found = statement.step() && statement.integer(0) != 0;
    statement.reset();
    return found;
}

std::string SqliteTablePlan::describe_row(const Change& change) {
    return describe_row(*change.table, change.before.empty() ? change.after : change.before);
}

std::string SqliteTablePlan::describe_row(const TableSchema& table, std::span<const Cell> image) {
    ColumnIndexes key = table.primary_key.empty() ? table.identity : table.primary_key;
    if (table.primary_key.empty() && key.size() == table.columns.size()) key.clear();  // the whole row: not for messages
    if (key.empty()) return "(a row without key)";
    std::string text;
    for (const auto column : key) {
        const Cell cell = column < image.size() ? image[column] : Cell::absent();
        text += fmt::format("{}{}={}", text.empty() ? "" : ", ", printable(table.columns[column].name, 80), key_value(cell));
    }
    return text;
}

}  // namespace rowferry
