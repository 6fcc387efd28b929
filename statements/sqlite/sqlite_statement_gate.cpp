#include "statements/sqlite/sqlite_statement_gate.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

constexpr std::array<std::string_view, 8> kOutsideFunctions{"sqlite_version",   "sqlite_source_id", "sqlite_compileoption_get", "sqlite_compileoption_used",
                                                            "sqlite_offset", "fts3_tokenizer",   "total_changes",            "load_extension"};
constexpr std::array<std::string_view, 6> kOutsideTables{"dbstat", "sqlite_stmt", "sqlite_dbpage", "bytecode", "tables_used", "sqlite_dbdata"};
constexpr std::array<std::string_view, 6> kByOrder{"group_concat", "string_agg", "json_group_array", "json_group_object", "jsonb_group_array", "jsonb_group_object"};
/// What a user may set or ask with PRAGMA; the others change what a database is or how it is written.
constexpr std::array<std::string_view, 5> kSettable{"foreign_keys", "recursive_triggers", "ignore_check_constraints", "legacy_alter_table", "defer_foreign_keys"};
constexpr std::array<std::string_view, 2> kStored{"user_version", "application_id"};
constexpr std::array<std::string_view, 17> kReadable{"data_version", "table_info", "table_xinfo",       "table_list", "index_list",    "index_info",       "index_xinfo", "foreign_key_list", "foreign_key_check",
                                                     "encoding",   "integrity_check", "quick_check", "function_list", "collation_list", "database_list", "page_count", "page_size"};

bool is_schema_change(int action) {
    return (action >= SQLITE_CREATE_INDEX && action <= SQLITE_CREATE_VIEW) || (action >= SQLITE_DROP_INDEX && action <= SQLITE_DROP_VIEW) || action == SQLITE_ALTER_TABLE ||
           action == SQLITE_REINDEX || action == SQLITE_ANALYZE || action == SQLITE_CREATE_VTABLE || action == SQLITE_DROP_VTABLE;
}

bool is_temporary(int action) {
    return action == SQLITE_CREATE_TEMP_INDEX || action == SQLITE_CREATE_TEMP_TABLE || action == SQLITE_CREATE_TEMP_TRIGGER || action == SQLITE_CREATE_TEMP_VIEW ||
           action == SQLITE_DROP_TEMP_INDEX || action == SQLITE_DROP_TEMP_TABLE || action == SQLITE_DROP_TEMP_TRIGGER || action == SQLITE_DROP_TEMP_VIEW;
}

bool is_schema_table(std::string_view name) {
    return same_sqlite_name(name, "sqlite_master") || same_sqlite_name(name, "sqlite_schema") || same_sqlite_name(name, "sqlite_temp_master") || same_sqlite_name(name, "sqlite_temp_schema");
}

bool is_ours(std::string_view name) { return name.size() > 9 && same_sqlite_name(name.substr(0, 9), "rowferry_"); }

int authorizer(void* gate, int action, const char* first, const char* second, const char*, const char* inner) {
    return static_cast<SqliteStatementGate*>(gate)->authorize(action, first, second, inner);
}

}  // namespace

bool limits_without_order(std::string_view sql) {
    std::vector<bool> ordered{false};  // for each open parenthesis, and outside of all
    const std::vector<SqliteToken> tokens = sqlite_tokens(sql);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const SqliteToken& token = tokens[i];
        if (token.is_symbol("(")) {
            ordered.push_back(false);
        } else if (token.is_symbol(")")) {
            if (ordered.size() > 1) ordered.pop_back();
        } else if (token.is_symbol(";") || token.is_word("select") || token.is_word("update") || token.is_word("delete")) {
            ordered.back() = false;
        } else if (token.is_word("order") && i + 1 < tokens.size() && tokens[i + 1].is_word("by")) {
            ordered.back() = true;
        } else if (token.is_word("limit") && !ordered.back() && i + 1 < tokens.size() && !tokens[i + 1].is_symbol(".") && (i == 0 || !tokens[i - 1].is_symbol("."))) {
            // A column may be called so: behind the keyword comes a value.
            const SqliteToken& next = tokens[i + 1];
            if (next.kind == SqliteToken::Kind::number || next.is_name() || next.is_symbol("(") || next.is_symbol("?") || next.is_symbol(":") || next.is_symbol("@") || next.is_symbol("$") ||
                next.is_symbol("-") || next.is_symbol("+"))
                return true;
        }
    }
    return false;
}

SqliteStatementGate::SqliteStatementGate(SqliteDatabase& db) : db_{db} { sqlite3_set_authorizer(db_.handle(), authorizer, this); }

SqliteStatementGate::~SqliteStatementGate() { sqlite3_set_authorizer(db_.handle(), nullptr, nullptr); }

void SqliteStatementGate::open() {
    open_ = true;
    changes_schema_ = reads_schema_ = false;
    denied_.reset();
    outside_.reset();
    by_order_.reset();
    inner_.clear();
}

int SqliteStatementGate::deny(std::string why) {
    if (!denied_) denied_ = std::move(why);
    return SQLITE_DENY;
}

int SqliteStatementGate::authorize(int action, const char* first, const char* second, const char* inner) {
    if (!open_) return SQLITE_OK;
    const std::string_view name = first == nullptr ? "" : first;
    const std::string_view detail = second == nullptr ? "" : second;
    if (inner != nullptr && is_ours(inner)) {
        // Tags of another stream's change table: whoever runs the statement fills them in. Its random values are not the statement's.
        return action == SQLITE_FUNCTION && same_sqlite_name(detail, "random") ? SQLITE_IGNORE : SQLITE_OK;
    }
    if (inner != nullptr) inner_.insert(inner);
    if (is_temporary(action)) return deny("temporary tables, views and triggers live in one connection only and are not in the log");
    changes_schema_ = changes_schema_ || is_schema_change(action);
    switch (action) {
        // Whoever runs statements does it himself for those that he knows: this one had another look.
        case SQLITE_TRANSACTION: return deny("it begins or ends a transaction, and does not look like it: write BEGIN, COMMIT or ROLLBACK as a statement of its own");
        case SQLITE_ATTACH:
        case SQLITE_DETACH: return deny("another database that is attached is not in the log");
        case SQLITE_FUNCTION:
            if (same_sqlite_name(detail, "load_extension")) return deny("load_extension() is not allowed here");
            if (is_among(detail, kOutsideFunctions)) outside_ = fmt::format("{}() tells of this machine or connection, not of the data", detail);
            if (is_among(detail, kByOrder)) by_order_ = std::string{detail};
            return SQLITE_OK;
        case SQLITE_PRAGMA:
            if (is_among(name, kSettable) || is_among(name, kReadable) || is_among(name, kStored)) return SQLITE_OK;
            return deny(fmt::format("PRAGMA {} is not for a statement log: run it with the sqlite3 program where it does not change what statements mean", printable(name, 60)));
        case SQLITE_INSERT:
        case SQLITE_UPDATE:
        case SQLITE_DELETE:
        case SQLITE_DROP_TABLE:
        case SQLITE_CREATE_TABLE:
            return is_ours(name) ? deny(fmt::format("{} is rowferry's own", printable(name, 60))) : SQLITE_OK;
        case SQLITE_READ:
            reads_schema_ = reads_schema_ || is_schema_table(name);
            if (is_among(name, kOutsideTables) || name.starts_with("pragma_") || is_ours(name)) outside_ = fmt::format("{} tells of this file or connection, not of the data", printable(name, 60));
            return SQLITE_OK;
        default: return SQLITE_OK;
    }
}

/// INSERT … SELECT that leaves an INTEGER PRIMARY KEY to SQLite numbers the rows in the order in which they come.
std::optional<std::string> SqliteStatementGate::unordered_insert(std::string_view sql) {
    const std::vector<SqliteToken> tokens = sqlite_tokens(sql);
    std::size_t at = 0;
    const auto is = [&](std::string_view word) { return at < tokens.size() && tokens[at].is_word(word); };
    const auto is_symbol = [&](std::string_view symbol) { return at < tokens.size() && tokens[at].is_symbol(symbol); };
    while (at < tokens.size() && !is("into")) ++at;
    if (at >= tokens.size() || (!tokens.front().is_word("insert") && !tokens.front().is_word("replace") && !tokens.front().is_word("with"))) return std::nullopt;
    ++at;
    if (at + 1 < tokens.size() && tokens[at + 1].is_symbol(".")) at += 2;
    if (at >= tokens.size()) return std::nullopt;
    const auto table = read_sqlite_table(db_, tokens[at].value);
    ++at;
    if (is("as")) at += 2;
    std::vector<std::string> columns;
    if (is_symbol("("))
        for (++at; at < tokens.size() && !is_symbol(")"); ++at)
            if (tokens[at].is_name()) columns.push_back(tokens[at].value);
    if (is_symbol(")")) ++at;
    bool reads_rows = false;
    bool ordered = false;
    int depth = 0;
    for (; at < tokens.size(); ++at) {
        depth += is_symbol("(") ? 1 : is_symbol(")") ? -1 : 0;
        if (depth != 0) continue;
        reads_rows = reads_rows || is("from");
        ordered = ordered || is("order");
    }
    if (!reads_rows || ordered || columns.empty() || !table) return std::nullopt;
    for (const ColumnSchema& column : table->schema.columns) {
        const bool given = std::ranges::any_of(columns, [&](const std::string& each) { return same_sqlite_name(each, column.name); });
        if (column.auto_number != AutoNumber::none && !given)
            return fmt::format("INSERT … SELECT without ORDER BY leaves it to SQLite in which order {}.{} is numbered: name that column, or add ORDER BY", printable(table->schema.name.name, 60),
                               printable(column.name, 60));
    }
    return std::nullopt;
}

std::optional<std::string> SqliteStatementGate::objection(std::string_view sql, bool checked) {
    if (outside_) return outside_;
    if (reads_schema_ && !changes_schema_) return "it changes rows by what the database's schema says, in which things of rowferry's may stand";
    if (limits_without_order(sql)) return "LIMIT without ORDER BY leaves it to SQLite which rows are meant: add ORDER BY";
    if (changes_schema_) return std::nullopt;
    for (const std::string& name : inner_) {
        SqliteStatement text = db_.prepare("SELECT sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('trigger', 'view')");
        text.bind(1, name);
        if (text.step() && limits_without_order(text.text(0)))
            return fmt::format("{}, which it uses, has a LIMIT without ORDER BY: which rows are meant is left to SQLite", printable(name, 60));
    }
    if (checked) return std::nullopt;
    if (by_order_) return fmt::format("{}() depends on the order of the rows, which the text does not say", *by_order_);
    return unordered_insert(sql);
}

}  // namespace rowferry
