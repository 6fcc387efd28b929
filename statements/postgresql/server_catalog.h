#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "schemas/table_name.h"
#include "statements/postgresql/sql_facts.h"

namespace rowferry {

/// What the catalog says of a table or view, as far as it tells what a statement on it does.
struct CatalogTable {
    struct Column {
        std::string name;
        std::string type;      ///< Below all domains, such as int4, as type_kinds has it.
        bool exact_text = true;  ///< Equal texts and no others are equal: not with a nondeterministic collation.
        bool generated = false;  ///< GENERATED … STORED: computed from the row.
        std::optional<std::string> fallback;  ///< DEFAULT's expression; an identity column's is `nextval('…')`.
        bool not_null = false;
        bool exact = true;  ///< Equal values are the same value.
        std::string computed = {};  ///< A generated one's expression.
    };
    struct Key {
        std::string index;
        std::vector<std::string> columns;
    };
    struct Trigger {
        std::string name;
        int events = 0;  ///< pg_trigger.tgtype.
        std::uint32_t function = 0;
        std::string condition;  ///< WHEN, as SQL; empty without.
        bool deferrable = false;
    };
    /// A foreign key of another table that changes that table's rows with those of this one.
    struct Cascade {
        TableName child;
        bool on_update = false;
        bool on_delete = false;
        bool sets_default = false;
    };
    std::uint32_t oid = 0;
    TableName name;
    TableName root;        ///< The topmost table it is a partition or child of; else itself.
    char kind = 'r';       ///< pg_class.relkind.
    bool in_tree = false;  ///< Has parents or children.
    bool row_security = false;
    bool system = false;   ///< Of PostgreSQL itself.
    std::vector<Column> columns;
    std::vector<Key> keys;       ///< Unique, immediate, not partial and of plain columns; a primary key first.
    bool other_keys = false;     ///< Others that are unique, or exclude.
    std::vector<Trigger> triggers;
    std::vector<Cascade> cascades;
    std::vector<TableName> references;  ///< Foreign keys' parents.
    std::string view;            ///< A view's query.
    std::vector<std::string> rules;  ///< CREATE RULE, but a view's own.
    std::vector<std::uint32_t> functions;  ///< Not PostgreSQL's own: of checks, domains, generated columns and indexes, which every row that is written goes through.

    [[nodiscard]] const Column* column(const std::string& column_name) const;
};

struct CatalogRoutine {
    std::uint32_t oid = 0;
    SqlName name;
    char volatility = 'v';   ///< i, s, v.
    bool builtin = false;
    std::string extension;   ///< That brought it along.
    char kind = 'f';         ///< pg_proc.prokind.
    std::vector<std::string> arguments;  ///< Types, as Column::type; also OUT ones.
    std::vector<std::string> results;
    std::string defaults;    ///< Of its last arguments, as a list of expressions.
    std::string language;
    std::string source;      ///< Between the quotes.
    std::string definition;  ///< CREATE FUNCTION; empty for built-in ones.
    std::string settings;    ///< SET clauses.
};

/// The catalog of a scratch at the place of the log that it has reached. Remembers what it was asked for until forget(). On the session in which the statements run, so that it sees what
/// their transaction did. One thread.
class ServerCatalog {
public:
    explicit ServerCatalog(PgSession& session) : session_{session} {}

    /// Tables and views of that name: in the schema that it names, else in all of them (PostgreSQL's own only where nobody else has one).
    [[nodiscard]] const std::vector<std::shared_ptr<const CatalogTable>>& tables(const SqlName& name);
    /// All partitions and children of a table's tree, itself among them.
    [[nodiscard]] std::vector<TableName> tree(const CatalogTable& table);
    /// Tables with a foreign key to it.
    [[nodiscard]] std::vector<TableName> referring(const TableName& table);
    /// Every table of the application.
    [[nodiscard]] std::vector<TableName> all_tables();
    [[nodiscard]] const std::vector<CatalogRoutine>& routines(const SqlName& name, std::size_t arguments);
    [[nodiscard]] const CatalogRoutine* routine(std::uint32_t oid);
    /// Functions of operators of that name that PostgreSQL did not bring along, and of casts.
    [[nodiscard]] const std::vector<std::uint32_t>& operators(const std::string& name);
    [[nodiscard]] const std::vector<std::uint32_t>& casts() { return operators("(cast)"); }
    /// As Column::type; a question mark where there are several of that name, or none.
    [[nodiscard]] std::string type(const SqlType& type);
    /// DEFAULT of a domain, where a type is one and has one.
    [[nodiscard]] std::optional<std::string> domain_default(const SqlType& type);
    /// More than one schema of the application's own.
    [[nodiscard]] bool has_schemas();
    /// Event triggers that are not of extensions.
    [[nodiscard]] bool has_event_triggers();
    void forget();

private:
    [[nodiscard]] std::shared_ptr<const CatalogTable> read(std::uint32_t oid);
    void read_triggers(CatalogTable& table);

    PgSession& session_;
    std::map<std::string, std::vector<std::shared_ptr<const CatalogTable>>> tables_;
    std::map<std::string, std::vector<CatalogRoutine>> routines_;
    std::map<std::uint32_t, std::optional<CatalogRoutine>> by_oid_;
    std::optional<std::map<std::string, std::vector<std::uint32_t>>> operators_;
    std::map<std::string, std::pair<std::string, std::optional<std::string>>> types_;
    std::optional<bool> event_triggers_;
    [[nodiscard]] const std::pair<std::string, std::optional<std::string>>& type_entry(const SqlType& type);
};

}  // namespace rowferry
