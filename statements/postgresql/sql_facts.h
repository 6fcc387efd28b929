#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rowferry {

/// A name as a statement has it; without a schema where it has none.
struct SqlName {
    std::string schema;
    std::string name;
    friend bool operator==(const SqlName&, const SqlName&) = default;
};

/// One value of a statement, as far as its text tells.
struct SqlOperand {
    enum class Kind {
        number,     ///< `text` as written, with its sign.
        string,     ///< `text` without quotes.
        parameter,  ///< `$number`.
        null,
        fallback,   ///< DEFAULT.
        other,      ///< An expression.
    };
    Kind kind = Kind::other;
    std::string text = {};
    int number = 0;
    int location = -1;  ///< Byte of the text where it begins.
};

/// A type as a statement names it.
struct SqlType {
    SqlName name;
    bool array = false;
    friend bool operator==(const SqlType&, const SqlType&) = default;
};

/// A constant or parameter, and what says which type it is read as. Neither column nor casts: nothing here.
struct SqlLiteral {
    SqlOperand value;
    std::string column;          ///< It is compared with this column, or put together with it.
    bool compared = false;       ///< … compared: it has the column's type.
    std::vector<SqlType> casts;  ///< It is cast to these, the outermost first.
};

/// Values that are made of others: what the result is depends on the types that go in.
struct SqlUse {
    enum class Kind {
        cast,        ///< To `type`.
        operation,   ///< By an operator, `name`.
        comparison,  ///< One that may order or equal them.
        call,        ///< A function's arguments.
        assignment,  ///< To the column `name`.
        grouping,    ///< GROUP BY, DISTINCT, UNION: one of the equal ones stays.
    };
    Kind kind = Kind::cast;
    std::string name;
    SqlType type;
    std::vector<std::string> columns;  ///< That go in, `*` for whole rows, `$1` for a parameter.
    std::vector<SqlType> types;        ///< That casts in it name.
    std::vector<std::string> calls;    ///< Functions in it.
};

/// `column = value`, one of the conditions that all have to hold.
struct SqlPin {
    std::string column;
    SqlOperand value;
};

/// One INSERT, UPDATE, DELETE or MERGE, wherever it stands in a statement; or a SELECT … FOR UPDATE of one table.
struct SqlTarget {
    enum class Op { insert, update, remove, merge, lock };
    Op op = Op::insert;
    SqlName table;
    std::vector<std::string> columns;            ///< Of an INSERT that names them; of an UPDATE those that it sets.
    std::vector<std::vector<SqlOperand>> rows;   ///< Of VALUES; of an UPDATE one row: what it sets.
    bool from_query = false;                     ///< INSERT … SELECT.
    std::vector<SqlUse> outputs;                 ///< … and what it puts into the columns, in their order; of VALUES with other than constants, each with its place in `name`.
    enum class OnConflict { none, nothing, update };
    OnConflict on_conflict = OnConflict::none;
    std::vector<SqlPin> sets;                    ///< What ON CONFLICT DO UPDATE and MERGE set columns to.
    std::vector<SqlPin> pins;                    ///< Of WHERE.
    bool only_pins = false;                      ///< WHERE has nothing else.
    std::vector<SqlName> joined;                 ///< UPDATE … FROM: what its rows are taken from, plain tables only.
    bool joins_others = false;                   ///< … and something else.
    std::vector<std::string> join_columns;       ///< Of those tables: columns that WHERE holds equal to something.
};

/// An order of rows: the same everywhere only where it is total.
struct SqlOrder {
    std::optional<SqlName> table;        ///< The only one it reads.
    std::vector<std::string> columns;    ///< Plain columns of ORDER BY.
    bool pinned = false;                 ///< Not more than one row by its text alone: no FROM, or aggregates only.
    std::vector<std::pair<std::string, std::string>> equals;  ///< Columns that WHERE holds equal to something: nothing, where that is a constant, else the column or variable.
};

/// A function that a statement calls.
struct SqlCall {
    SqlName name;
    std::size_t arguments = 0;
    std::vector<SqlOperand> constants;  ///< Its arguments, as far as they are constants.
    SqlOrder order;                     ///< An aggregate's own.
    SqlUse use;                         ///< What goes in.
    bool plain_arguments = true;        ///< Only columns and constants.
    bool used = true;                   ///< Not only shown to the client.
    bool distinct = false;              ///< An aggregate's.
};

/// What a statement's text says of what it does, without knowing any table. A pure function of the text, taken apart by PostgreSQL's own parser (libpg_query).
struct SqlFacts {
    std::string kind;                    ///< Of the parser's node: InsertStmt, CreateStmt …; of what EXPLAIN ANALYZE explains.
    std::vector<SqlTarget> targets;
    std::vector<SqlName> reads;          ///< Tables and views whose rows it looks at, targets aside; also those of utility statements.
    std::vector<SqlCall> calls;
    std::set<std::string> operators;
    std::set<std::string> common;        ///< Names of WITH, which may be among `reads`.
    std::vector<std::string> weaknesses; ///< What would not come to the same a second time: `a sample of a table (TABLESAMPLE)`.
    std::vector<std::string> clock;      ///< `CURRENT_TIMESTAMP`, as named in the text.
    std::vector<std::string> identity;   ///< `CURRENT_USER` and the like.
    std::vector<SqlLiteral> literals;
    std::vector<SqlUse> uses;
    std::set<std::string> columns;       ///< All that are mentioned but as targets.
    std::set<std::string> made;          ///< Names that subqueries, WITH and functions in FROM give to something else than a column of that name.
    std::set<std::string> shown;         ///< … and the statement's own SELECT, which PL/pgSQL may put into a record.
    std::vector<std::pair<SqlName, std::size_t>> row_functions;  ///< In FROM, with how many arguments: what their columns are called is theirs to say.
    SqlUse gives;                        ///< What goes into the values that its own SELECT, or RETURNING, gives.
    std::vector<SqlOrder> limits;        ///< Of LIMIT, OFFSET and FETCH FIRST.
    std::optional<SqlOrder> outer;       ///< A SELECT's own order.
    bool backslashes = false;            ///< An ordinary string constant has one: what that is depends on standard_conforming_strings.
    bool numbers_rows = false;           ///< ALTER TABLE gives existing rows numbers in the order in which they lie.
    std::vector<SqlType> given;          ///< PREPARE's parameters, and types that ALTER TABLE gives to columns.
    std::vector<SqlOperand> arguments;   ///< EXECUTE.
    bool sums = false;                   ///< sum(), avg() and their like: floating-point sums depend on the order.
    bool into_table = false;             ///< SELECT … INTO, CREATE TABLE AS.
    std::string setting;                 ///< SET and RESET: which; `*` for RESET ALL.
    std::string value;                   ///< What SET gives it, where that is one constant.
    bool local = false;                  ///< SET LOCAL.
    bool resets = false;                 ///< RESET, SET … TO DEFAULT.
    bool concurrently = false;
    bool unique = false;                 ///< CREATE UNIQUE INDEX.
    bool stands_alone = false;           ///< CREATE TABLE of a table that is part of no other one, CREATE TABLE AS.
    bool if_not_exists = false;
    bool versioned = false;              ///< CREATE and ALTER EXTENSION: it says which version.
    bool temporary = false;              ///< Makes a temporary table or view.
    bool dropped_at_commit = false;      ///< … that is gone with its transaction.
    bool cascade = false;
    std::vector<SqlName> names;          ///< Of the objects that a definition makes, changes or drops.
    bool reads_file = false;             ///< COPY … FROM a file or program.
    bool stdin_copy = false;             ///< COPY … FROM STDIN.
    bool explains = false;               ///< EXPLAIN without ANALYZE.
    std::string body;                    ///< DO: what is between the quotes.
    std::string language;                ///< DO: empty for plpgsql.
    SqlName routine;                     ///< CALL.
};

/// Throws StatementError when it cannot be parsed.
[[nodiscard]] SqlFacts read_sql(const std::string& sql);
/// An expression on its own: a column's default.
[[nodiscard]] SqlFacts read_sql_expression(const std::string& expression);

/// A type on its own, as PL/pgSQL declares variables; nothing where it is none.
[[nodiscard]] std::optional<SqlType> read_sql_type(const std::string& type);

/// What a routine's body would run.
struct RoutineBody {
    std::vector<std::string> statements;   ///< SQL statements, and expressions as `SELECT …`.
    std::vector<std::string> ordered;      ///< Those of them whose first row, or whose rows' order, counts: SELECT … INTO, FOR … IN.
    struct Assignment {
        std::string target;     ///< A variable, or `new.field`; empty for what it returns.
        std::string statement;  ///< SELECT of what it is given.
    };
    std::vector<Assignment> assigned;
    bool fills = false;                    ///< A query fills variables.
    std::vector<std::string> filling;      ///< Those queries.
    std::map<std::string, std::string> variables;  ///< Their types, as written.
    std::vector<std::string> parameters;   ///< Variables that are the routine's parameters, in their order.
    std::string opaque;                    ///< What cannot be told: text that is put together while it runs, the end of a transaction …
};
/// Of PL/pgSQL: the whole CREATE FUNCTION. Throws StatementError when it cannot be parsed.
[[nodiscard]] RoutineBody read_plpgsql(const std::string& definition);
/// Of SQL: several statements.
[[nodiscard]] RoutineBody read_sql_body(const std::string& source);

/// The statement without any constant, for messages: neither values nor passwords. Cut after 200 bytes.
[[nodiscard]] std::string without_constants(const std::string& sql);

/// A text is no statement for the parser of this library's version. Holds nothing of it.
struct StatementError {
    std::string what;
};

}  // namespace rowferry
