#pragma once

#include <set>
#include <string>
#include <vector>

#include "decoder/pg_log/logged_transaction.h"
#include "schemas/table_name.h"
#include "statements/postgresql/server_catalog.h"
#include "statements/postgresql/sql_facts.h"

namespace rowferry {

/// What a statement comes to, with everything that it sets off: triggers, defaults, views, rules, foreign keys' actions, functions.
struct Effects {
    std::vector<std::string> undetermined;  ///< What its text does not determine: `random()`.
    std::string refused;                    ///< Why it cannot be run again at all; empty: it can.
    std::set<TableName> reads;              ///< Tables whose rows it looks at, but those that it finds its own targets in.
    std::set<TableName> writes;             ///< Tables whose rows it may change; of partitioned tables and parents all of the tree.
    std::set<TableName> indirect;           ///< Those of them that are not its own targets.
    bool writes_unknown = false;            ///< It may change any table.
    bool changes_settings = false;          ///< set_config() for the session.
};

/// Looks statements through. Asks the catalog, changes nothing. One thread.
class EffectFinder {
public:
    explicit EffectFinder(ServerCatalog& catalog) : catalog_{catalog} {}

    /// `parameters` and `settings` are those of the statement and its session.
    [[nodiscard]] Effects find(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);

    /// TRUNCATE.
    [[nodiscard]] Effects find_truncate(const SqlFacts& facts, const LoggedSession& session);
    /// DO and CALL.
    [[nodiscard]] Effects find_routine(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);

    /// The tables a name may mean, where the session's search path is known (`path`) or there is only one: else refuses in `effects`.
    [[nodiscard]] const std::vector<std::shared_ptr<const CatalogTable>>& resolve(const SqlName& name, Effects& effects);

private:
    struct Context {
        const std::vector<std::optional<std::string>>* parameters = nullptr;
        bool has_path = false;   ///< The log says the session's search_path.
        bool has_zone = false;   ///< … and its TimeZone.
        bool nested = false;     ///< In a routine, a default or a view: whatever it gives is used.
    };
    void begin(const std::vector<std::optional<std::string>>* parameters, const LoggedSession& session);
    void statement(const SqlFacts& facts, Effects& effects, bool writes);
    void target(const SqlFacts& facts, const SqlTarget& target, Effects& effects);
    void change(const CatalogTable& table, int events, bool keys_change, bool direct, Effects& effects);
    void read(const SqlName& name, const SqlFacts& facts, Effects& effects);
    void call(const SqlCall& call, Effects& effects, bool writes);
    void routine(const CatalogRoutine& routine, Effects& effects);
    void defaults(const CatalogTable& table, const SqlTarget& target, Effects& effects);
    void literals(const CatalogTable& table, const SqlTarget& target, Effects& effects, std::size_t& settled);
    void literal(const CatalogTable::Column& column, const SqlOperand& operand, Effects& effects, std::size_t& settled);
    void limits(const SqlFacts& facts, Effects& effects);
    void expression(const std::string& sql, const std::string& of, Effects& effects);

    ServerCatalog& catalog_;
    Context context_;
    std::set<std::uint32_t> routines_;  ///< That have been looked through.
    std::set<std::pair<TableName, int>> changed_;
    std::set<TableName> views_;
    int depth_ = 0;
};

}  // namespace rowferry
