#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "db/sqlite.h"

namespace rowferry {

/// Does a statement's effect follow from its text, its values and the rows it finds? SQLite's authorizer names what a statement really uses, also through triggers and
/// views, while it is compiled; what it takes from outside at run time (clock, random values) is looked after by StatementSession, which is asked for them. One thread.
class SqliteStatementGate {
public:
    /// Takes the connection's authorizer. Must not outlive it.
    explicit SqliteStatementGate(SqliteDatabase& db);
    ~SqliteStatementGate();
    SqliteStatementGate(const SqliteStatementGate&) = delete;
    SqliteStatementGate& operator=(const SqliteStatementGate&) = delete;

    /// What is compiled from here on belongs to one statement of the user; until close() our own triggers do without random().
    void open();
    void close() noexcept { open_ = false; }

    /// Why SQLite was told not to compile it; nothing when it was not.
    [[nodiscard]] const std::optional<std::string>& denied() const noexcept { return denied_; }
    [[nodiscard]] bool changes_schema() const noexcept { return changes_schema_; }
    /// Why the effect of this statement, which has been compiled and writes, is not determined; nothing when it is. `checked`: it was recorded with a digest of
    /// what it did, so that another order of rows would be noticed.
    [[nodiscard]] std::optional<std::string> objection(std::string_view sql, bool checked);

    /// For SQLite.
    int authorize(int action, const char* first, const char* second, const char* inner);

private:
    [[nodiscard]] std::optional<std::string> unordered_insert(std::string_view sql);
    int deny(std::string why);

    SqliteDatabase& db_;
    bool open_ = false;
    bool changes_schema_ = false;
    bool reads_schema_ = false;
    std::optional<std::string> denied_;
    std::optional<std::string> outside_;  ///< A function or table that tells of the machine, not of the data.
    std::optional<std::string> by_order_; ///< An aggregate whose result depends on the order of the rows.
    std::set<std::string> inner_;         ///< Triggers and views that it uses.
};

/// Has this text a LIMIT that no ORDER BY stands in front of, in the same SELECT, UPDATE or DELETE? Pure.
[[nodiscard]] bool limits_without_order(std::string_view sql);

}  // namespace rowferry
