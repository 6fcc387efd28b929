#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "statements/postgresql/sql_facts.h"
#include "statements/postgresql/sql_nodes.h"

namespace rowferry {

/// Goes through a statement's tree once and collects its facts.
class SqlWalk {
public:
    explicit SqlWalk(SqlFacts& facts) : facts_{facts} {}

    void statement(const std::string& kind, const sql_nodes::Json& node);

private:
    using Json = sql_nodes::Json;

    void walk(const Json& node);
    void visit(const std::string& kind, const Json& node);
    void children(const Json& node, std::string_view but = {});
    // Expressions: sql_walk.cpp.
    void call(const Json& node);
    void select(const Json& node);
    void order_of(const Json& select, SqlOrder& order) const;
    void cast(const Json& node);
    void operation(const Json& node);
    void literal(const std::string& kind, const Json& node);
    static void made(const Json& outputs, std::set<std::string>& names);
    void aliases(const std::string& kind, const Json& node);
    [[nodiscard]] SqlUse use(SqlUse::Kind kind, const Json& node, std::string name = {}) const;
    // Targets: sql_targets.cpp.
    void target(SqlTarget::Op op, const Json& node);
    void rows_of(SqlTarget::Op op, const Json& node, SqlTarget& target);
    void where(const Json& condition, SqlTarget& target, const std::vector<std::string>& own_names, const std::vector<std::string>& aliases);
    void from_of_update(const Json& list, SqlTarget& target, std::vector<std::string>& aliases);
    // Whole statements: sql_facts.cpp.
    void utility(const std::string& kind, const Json& node);
    void setting(const Json& node);
    void names_of(const std::string& kind, const Json& node);
    void alter_table(const Json& node);
    [[nodiscard]] bool definition(const std::string& kind, const Json& node);
    void weakness(std::string what);

    SqlFacts& facts_;
    int depth_ = 0;
    int common_ = 0;               ///< Within WITH: what RETURNING gives is used.
    bool strict_ = true;           ///< Nodes that are not known count.
    bool quiet_ = false;           ///< Within a RETURNING that only the client sees: what its functions do counts, what they give does not.
    std::string column_;           ///< What the constants here are compared or put together with.
    bool compared_ = false;
    std::vector<SqlType> casts_;   ///< … and cast to.
    const Json* own_ = nullptr;      ///< The SELECT that is the statement, or an INSERT's: nothing within it can use its names.
    const Json* sublink_ = nullptr;  ///< One within an expression: its names end with it.
    std::optional<SqlName> only_;  ///< The one table that this SELECT reads.
};

}  // namespace rowferry
