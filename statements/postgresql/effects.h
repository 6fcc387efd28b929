#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
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
    bool rearranges = false;                ///< It changes or removes rows, not only adds some: in another order it may come to something else.
    bool changes_settings = false;          ///< set_config() for the session.
    bool settings_inside = false;           ///< … within a function or trigger.
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
    /// ALTER TABLE: what becomes of the rows that are there.
    [[nodiscard]] Effects find_alteration(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);
    /// What the constants of a definition mean, which are read once and for all: notes of what that depends on.
    [[nodiscard]] Effects find_definition(const SqlFacts& facts, const LoggedSession& session);

    /// The tables a name may mean, where the session's search path is known (`path`) or there is only one: else refuses in `effects`.
    [[nodiscard]] const std::vector<std::shared_ptr<const CatalogTable>>& resolve(const SqlName& name, Effects& effects);

    /// Does the target's text pin a whole unique key, or is it one row of VALUES?
    [[nodiscard]] bool is_one_row(const SqlTarget& target);
    /// Does the log say this session's value for it, in a SET that it carries?
    [[nodiscard]] static bool is_set(const LoggedSession& session, std::string_view setting);

private:
    using Tables = std::vector<std::shared_ptr<const CatalogTable>>;
    struct Context {
        const std::vector<std::optional<std::string>>* parameters = nullptr;
        bool has_path = false;   ///< The log says the session's search_path.
        bool has_zone = false;   ///< … and its TimeZone.
        bool has_strings = false;  ///< … and that a backslash in '…' is one.
        bool has_nulls = false;  ///< … and whether NULL in an array's text is one.
        bool at_once = true;     ///< The statement's constants were read when it ran, not when it was prepared.
        bool nested = false;     ///< In a routine, a default or a view: whatever it gives is used.
        bool definition = false; ///< Of an object, which is made of the statement's tables.
        Tables tables;           ///< Whose columns names in here may be, beside the statement's own: a trigger's.
        std::set<std::string> shadowed;  ///< Names of columns that may be something else: fields of a routine's records.
        std::map<std::string, std::string> variables;  ///< Of PL/pgSQL, with their types.
    };
    /// The types that go into a value.
    struct Types {
        std::set<std::string> names;
        bool exact = true;
        [[nodiscard]] bool has_timely() const;
    };
    /// A trigger for each row of several: what it reads must not be what the statement writes.
    struct RowTrigger {
        std::string name;
        std::set<TableName> reads;
    };
    void begin(const LoggedStatement* logged, const LoggedSession& session);
    void finish(Effects& effects);
    void statement(const SqlFacts& facts, Effects& effects, bool writes);
    void expression(const std::string& sql, const std::string& of, Effects& effects);
    void merge(const Effects& inner, const std::string& of, Effects& effects) const;
    // Tables: table_effects.cpp.
    void target(const SqlFacts& facts, const SqlTarget& target, Effects& effects);
    void joined_rows(const SqlTarget& target, Effects& effects);
    void change(const CatalogTable& table, int events, bool keys_change, bool direct, bool many, Effects& effects);
    void fire(const CatalogTable& table, const CatalogTable::Trigger& trigger, bool many, Effects& effects);
    void row_functions(const CatalogTable& table, Effects& effects);
    void read(const SqlName& name, const SqlFacts& facts, Effects& effects, bool writes);
    void view(const CatalogTable& table, Effects& effects, bool writes);
    void defaults(const CatalogTable& table, const SqlTarget& target, Effects& effects);
    // Functions: routine_effects.cpp.
    void call(const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes);
    void own_call(const CatalogRoutine& routine, const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes);
    void builtin_call(const CatalogRoutine& routine, const SqlCall& call, const SqlFacts& facts, Effects& effects, bool writes);
    [[nodiscard]] const Effects& routine(const CatalogRoutine& routine, const std::shared_ptr<const CatalogTable>& of = nullptr);
    void body(const CatalogRoutine& routine, const std::string& name, Effects& effects);
    void assignments(const RoutineBody& body, const CatalogRoutine& routine, const std::string& name, Effects& effects);
    void by_number(std::uint32_t oid, Effects& effects);
    // Values: value_effects.cpp.
    void values(const SqlFacts& facts, Effects& effects);
    void use(const SqlUse& use, const SqlFacts& facts, Effects& effects);
    void outputs(const SqlTarget& target, const CatalogTable& table, const SqlFacts& facts, Effects& effects);
    void settle(const CatalogTable& table, const SqlTarget& target, Effects& effects);
    void literal(const SqlOperand& operand, const std::string& type, const std::string& of, Effects& effects);
    void literals(const SqlFacts& facts, Effects& effects);
    [[nodiscard]] std::string parameter(int number) const;
    void orders(const SqlFacts& facts, Effects& effects);
    [[nodiscard]] bool is_total(const SqlOrder& order, const SqlFacts& facts);
    [[nodiscard]] bool is_timely(const SqlFacts& facts);
    [[nodiscard]] Types types_of(const SqlUse& use, const SqlFacts& facts);
    [[nodiscard]] std::string variable_type(const std::string& declared);
    [[nodiscard]] Tables involved(const SqlFacts& facts);

    ServerCatalog& catalog_;
    Context context_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, Effects> routines_;  ///< That have been looked through, by their number and their trigger's table.
    std::set<std::pair<TableName, int>> changed_;
    std::set<std::pair<TableName, bool>> views_;
    std::set<int> settled_;  ///< Places of constants that have been looked at.
    std::vector<RowTrigger> row_triggers_;
    int depth_ = 0;
};

/// Of triggers, foreign keys, functions and views in each other.
constexpr int kDeepestCalls = 40;

/// Once each.
void note(Effects& effects, std::string reason);
[[nodiscard]] std::string shown(const SqlName& name);

}  // namespace rowferry
