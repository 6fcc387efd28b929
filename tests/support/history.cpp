#include "tests/support/history.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace rowferry::test {

/// One connection of either engine.
class History::Session {
public:
    Session(const Database& leader, const HistoryOptions& options) {
        if (leader.is_postgresql()) {
            pg_.emplace(leader.uri());
            if (options.constraints_off) pg_->exec("SET session_replication_role = replica");
        } else {
            sqlite_.emplace(leader.path(), !options.constraints_off);
        }
    }
    void exec(const std::string& sql) { pg_ ? pg_->exec(sql) : sqlite_->exec(sql); }
    /// Inside a transaction; a failure undoes this statement only.
    bool attempt(const std::string& sql) {
        if (sqlite_) {
            return sqlite_->attempt(sql);
        }
        if (pg_->try_exec("SAVEPOINT a; " + sql + "; RELEASE a")) return true;
        pg_->exec("ROLLBACK TO a; RELEASE a");
        return false;
    }
    /// False when a deferred constraint is broken.
    bool attempt_alone(const std::string& sql) { return pg_ ? pg_->try_exec(sql) : sqlite_->try_exec(sql); }
    /// SQLite ends the whole transaction over some failures, such as a table that has no rowid left to give.
    [[nodiscard]] bool transaction_gone() const { return sqlite_ && sqlite3_get_autocommit(sqlite_->get()) != 0; }

private:
    std::optional<PgConnection> pg_;
    std::optional<SqliteDb> sqlite_;
};

History::History(const Database& leader, std::vector<TableShape> tables, HistoryOptions options, Random random)
    : postgresql_{leader.is_postgresql()}, tables_{std::move(tables)}, options_{options}, random_{random},
      session_{std::make_unique<Session>(leader, options)}, done_(tables_.size()), tried_(tables_.size()) {}

History::~History() = default;

void History::run(int per_table) {
    std::vector<int> wanted;
    for (const auto& statements : done_) wanted.push_back(static_cast<int>(statements.size()) + per_table);
    std::fill(tried_.begin(), tried_.end(), 0);
    for (;;) {
        std::vector<std::size_t> open;
        for (std::size_t i = 0; i < tables_.size(); ++i)
            if (static_cast<int>(done_[i].size()) < wanted[i] && tried_[i] < 10 * per_table && !tables_[i].columns.empty()) open.push_back(i);
        if (open.empty()) return;
        transaction(open);
    }
}

std::vector<std::string> History::stubborn(int per_table) const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tables_.size(); ++i)
        if (static_cast<int>(done_[i].size()) < per_table && !tables_[i].columns.empty()) names.push_back(fmt::format("{} ({})", tables_[i].name, done_[i].size()));
    return names;
}

void History::transaction(const std::vector<std::size_t>& open) {
    const std::vector<std::size_t> before = sizes();
    session_->exec("BEGIN");
    const int count = random_.chance(30) ? 1 : 1 + random_.below(30);
    const std::size_t favourite = random_.pick(open);  // a run of one table's changes goes another way than changes in turn
    const bool one_table = random_.chance(40);
    for (int i = 0; i < count; ++i) {
        const bool part = random_.chance(5);
        if (part) session_->exec("SAVEPOINT part");
        const std::vector<std::size_t> at_part = sizes();
        attempt(one_table ? favourite : random_.pick(open));
        if (part && !session_->transaction_gone()) attempt(random_.pick(open));
        if (session_->transaction_gone()) return forget_after(before);
        if (!part) continue;
        const bool undone = random_.chance(60);
        session_->exec(undone ? "ROLLBACK TO part; RELEASE part" : "RELEASE part");
        if (undone) forget_after(at_part);
    }
    if (!finish(random_.chance(8))) forget_after(before);
}

/// False: nothing of the transaction happened.
bool History::finish(bool undone) {
    if (postgresql_ && random_.chance(4)) {
        const std::string name = fmt::format("'h{}_{}'", random_.bits(), prepared_++);
        if (!session_->attempt_alone("PREPARE TRANSACTION " + name)) return false;
        session_->exec((undone ? "ROLLBACK PREPARED " : "COMMIT PREPARED ") + name);
        return !undone;
    }
    if (!undone && session_->attempt_alone("COMMIT")) return true;  // else a deferred constraint
    session_->exec("ROLLBACK");
    return false;
}

std::vector<std::size_t> History::sizes() const {
    std::vector<std::size_t> all;
    for (const auto& statements : done_) all.push_back(statements.size());
    return all;
}

void History::forget_after(const std::vector<std::size_t>& before) {
    for (std::size_t i = 0; i < done_.size(); ++i) done_[i].resize(before[i]);
}

bool History::attempt(std::size_t table) {
    ++tried_[table];
    const std::string sql = change(tables_[table]);
    if (!session_->attempt(sql)) return false;
    done_[table].push_back(sql);
    return true;
}

std::string History::change(const TableShape& table) {
    const int dice = random_.below(100);
    if (dice < 45) return insert(table);
    if (dice < 80) return update(table);
    if (options_.truncate && dice < 81) {
        if (!postgresql_) return "DELETE FROM " + table.in_sql;
        return fmt::format("TRUNCATE {}{}{}", random_.chance(50) ? "" : "ONLY ", table.in_sql, random_.chance(30) ? " RESTART IDENTITY CASCADE" : " CASCADE");
    }
    return remove(table);
}

std::string History::value(const ColumnShape& column) {
    if (!column.not_null && random_.chance(10)) return "NULL";
    return column.value(random_);
}

std::string History::insert(const TableShape& table) {
    std::vector<const ColumnShape*> chosen;
    bool overriding = false;
    for (const ColumnShape& column : table.columns) {
        if (column.always_identity && random_.chance(70)) continue;
        if ((column.has_default || !column.not_null) && random_.chance(12)) continue;
        overriding = overriding || column.always_identity;
        chosen.push_back(&column);
    }
    const bool replace = !postgresql_ && options_.replace;
    static const char* const verbs[] = {"INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"};
    const std::string verb = replace && random_.chance(40) ? random_.pick(verbs) : "INSERT";
    if (chosen.empty()) return fmt::format("{} INTO {} DEFAULT VALUES", verb, table.in_sql);
    std::string names;
    for (const ColumnShape* column : chosen) names += (names.empty() ? "" : ", ") + sql_name(column->name);
    std::string rows;
    const int count = random_.chance(75) ? 1 : 2 + random_.below(4);
    for (int i = 0; i < count; ++i) {
        std::string row;
        for (const ColumnShape* column : chosen) row += (row.empty() ? "" : ", ") + value(*column);
        rows += (i == 0 ? "(" : ", (") + row + ")";
    }
    std::string sql = fmt::format("{} INTO {} ({}) {}VALUES {}", verb, table.in_sql, names, overriding ? "OVERRIDING SYSTEM VALUE " : "", rows);
    if (verb != "INSERT" || !random_.chance(25)) return sql;
    if (table.unique_keys.empty() || random_.chance(40)) return sql + " ON CONFLICT DO NOTHING";
    std::string key;
    for (const std::string& name : random_.pick(table.unique_keys)) key += (key.empty() ? "" : ", ") + sql_name(name);
    const ColumnShape* target = random_.pick(chosen);
    if (target->always_identity) return sql;
    return fmt::format("{} ON CONFLICT ({}) DO UPDATE SET {} = {}", sql, key, sql_name(target->name),
                       random_.chance(50) ? "excluded." + sql_name(target->name) : value(*target));
}

std::string History::some_rows(const TableShape& table) {
    if (table.row_id.empty()) return "true";
    const int count = random_.chance(60) ? 1 : 1 + random_.below(4);
    // In an order, so that a log of statements says which rows are meant.
    return fmt::format("({0}) IN (SELECT {0} FROM {1}{2}{5} LIMIT {3} OFFSET {4})", table.row_id, postgresql_ ? "ONLY " : "", table.in_sql, count,
                       random_.below(std::max(table.rows, 12)), postgresql_ ? "" : " ORDER BY " + table.row_id);
}

std::string History::update(const TableShape& table) {
    std::string list;
    const int count = 1 + random_.below(3);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
        const ColumnShape& column = random_.pick(table.columns);
        if (column.always_identity) continue;  // a follower may not be able to follow that
        if (std::find(names.begin(), names.end(), column.name) != names.end()) continue;
        names.push_back(column.name);
        std::string what = value(column);
        if (random_.chance(5)) what = sql_name(column.name);  // as it was
        list += fmt::format("{}{} = {}", list.empty() ? "" : ", ", sql_name(column.name), what);
    }
    if (list.empty()) return remove(table);
    static const char* const verbs[] = {"UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"};
    const std::string verb = !postgresql_ && options_.replace && random_.chance(30) ? random_.pick(verbs) : "UPDATE";
    return fmt::format("{} {}{} SET {} WHERE {}", verb, postgresql_ ? "ONLY " : "", table.in_sql, list, some_rows(table));
}

std::string History::remove(const TableShape& table) {
    return fmt::format("DELETE FROM {}{} WHERE {}", postgresql_ ? "ONLY " : "", table.in_sql, some_rows(table));
}

}  // namespace rowferry::test
