#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/random.h"
#include "tests/support/table_shape.h"

namespace rowferry::test {

struct HistoryOptions {
    bool constraints_off = false;  ///< Foreign keys and triggers of the leader stand aside, as in a restore.
    bool truncate = true;          ///< PostgreSQL: TRUNCATE now and then; SQLite: DELETE without WHERE.
    bool replace = true;           ///< SQLite: REPLACE and its relatives.
};

/// What an application does to a database: random inserts, updates (of keys too), deletes, upserts, truncations in transactions of one to
/// thirty statements, some with savepoints, some rolled back, some in two phases. A statement that breaks a constraint changes
/// nothing. One thread.
class History {
public:
    History(const Database& leader, std::vector<TableShape> tables, HistoryOptions options, Random random);
    ~History();
    History(const History&) = delete;
    History& operator=(const History&) = delete;

    /// Until each table has had at least `per_table` statements that succeeded, or ten times as many that did not.
    void run(int per_table);

    /// What has succeeded on that table, in order.
    [[nodiscard]] const std::vector<std::string>& statements(std::size_t table) const { return done_[table]; }
    [[nodiscard]] const std::vector<TableShape>& tables() const { return tables_; }
    /// Tables that got fewer statements than asked for: `name (count)`.
    [[nodiscard]] std::vector<std::string> stubborn(int per_table) const;

private:
    class Session;
    void transaction(const std::vector<std::size_t>& open);
    bool attempt(std::size_t table);
    bool finish(bool undone);
    [[nodiscard]] std::vector<std::size_t> sizes() const;
    void forget_after(const std::vector<std::size_t>& before);

    std::string change(const TableShape& table);
    std::string insert(const TableShape& table);
    std::string update(const TableShape& table);
    std::string remove(const TableShape& table);
    std::string some_rows(const TableShape& table);
    std::string value(const ColumnShape& column);

    bool postgresql_;
    std::vector<TableShape> tables_;
    HistoryOptions options_;
    Random random_;
    std::unique_ptr<Session> session_;
    std::vector<std::vector<std::string>> done_;
    std::vector<int> tried_;
    int prepared_ = 0;
};

}  // namespace rowferry::test
