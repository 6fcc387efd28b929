#include "db/sqlite_schema.h"

#include <algorithm>

#include <fmt/format.h>

#include "db/create_sql.h"
#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

constexpr int kVirtualColumn = 2;  // table_xinfo.hidden
constexpr int kStoredColumn = 3;
constexpr int kRowidColumn = -1;  // index_xinfo.cid
constexpr int kExpression = -2;

bool is_ours_or_sqlites(std::string_view name) {
    const auto begins = [&](std::string_view prefix) {
        return name.size() >= prefix.size() && same_sqlite_name(name.substr(0, prefix.size()), prefix);
    };
    return begins("rowferry_") || begins("sqlite_");
}

/// SQLite keeps the name as the schema spells it; the built-in ones are known by their capital letters.
std::string built_in_collation(const std::string& name) {
    for (const char* known : {"BINARY", "NOCASE", "RTRIM"})
        if (sqlite3_stricmp(name.c_str(), known) == 0) return known;
    return name;
}

std::string column_collation(SqliteDatabase& db, const std::string& table, const std::string& column, bool& autoincrement) {
    const char* type = nullptr;
    const char* collation = nullptr;
    int not_null = 0;
    int key = 0;
    int automatic = 0;
    const int code =
        sqlite3_table_column_metadata(db.handle(), "main", table.c_str(), column.c_str(), &type, &collation, &not_null, &key, &automatic);
    if (code != SQLITE_OK) db.fail(code, "reading a column's collation");
    autoincrement = automatic != 0;
    return collation == nullptr ? "BINARY" : built_in_collation(collation);
}

/// An index as the pragmas tell it.
struct RawIndex {
    std::string name;
    bool unique = false;
    std::string origin;  // c: CREATE INDEX, u: UNIQUE constraint, pk: PRIMARY KEY
    bool partial = false;
    struct Part {
        int column = 0;
        std::string name;  // empty for an expression and the rowid
        bool descending = false;
        std::string collation;
    };
    std::vector<Part> parts;
    [[nodiscard]] bool has_expression() const {
        return std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.column == kExpression; });
    }
};

std::vector<RawIndex> read_indexes(SqliteDatabase& db, const std::string& table) {
    std::vector<RawIndex> indexes;
    SqliteStatement list = db.prepare("SELECT name, \"unique\", origin, partial FROM pragma_index_list(?1, 'main') ORDER BY seq DESC");
    list.bind(1, table);
    while (list.step()) indexes.push_back({list.text(0), list.integer(1) != 0, list.text(2), list.integer(3) != 0, {}});
    SqliteStatement parts = db.prepare("SELECT cid, \"desc\", coll, name FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno");
    for (RawIndex& index : indexes) {
        parts.reset();
        parts.bind(1, index.name);
        while (parts.step()) index.parts.push_back({static_cast<int>(parts.integer(0)), parts.is_null(3) ? std::string{} : parts.text(3), parts.integer(1) != 0, built_in_collation(parts.text(2))});
    }
    return indexes;
}

class TableReader {
public:
    TableReader(SqliteDatabase& db, SqliteTable& table) : db_{db}, table_{table}, schema_{table.schema} {}

    void read() {
        facts_ = read_create_table(sql_of("table", schema_.name.name));
        read_columns();
        read_checks();
        const std::vector<RawIndex> indexes = read_indexes(db_, schema_.name.name);
        read_primary_key(indexes);
        for (const RawIndex& index : indexes) read_index(index);
        choose_identity();
        read_foreign_keys();
        choose_rowid_name();
    }

private:
    void note(const std::string& what) { schema_.not_carried.push_back(what); }

    /// Checkpoints keep texts as UTF-8. SQLite takes any bytes, also between quotes in an expression.
    bool can_be_kept(const std::string& expression, const std::string& what) {
        if (find_bad_text(expression) == std::string::npos) return true;
        note(what + " is not carried: it is not valid UTF-8");
        return false;
    }

    void read_columns() {
        struct Raw {
            int cid;
            ColumnSchema column;
            int key;
            int hidden;
            std::string default_expression;
        };
        std::vector<Raw> columns;
        SqliteStatement info = db_.prepare(
            "SELECT cid, name, type, \"notnull\", pk, hidden, dflt_value FROM pragma_table_xinfo(?1, 'main') ORDER BY cid");
        info.bind(1, schema_.name.name);
        while (info.step()) {
            Raw raw{static_cast<int>(info.integer(0)),
                    {},
                    static_cast<int>(info.integer(4)),
                    static_cast<int>(info.integer(5)),
                    info.is_null(6) ? std::string{} : info.text(6)};
            raw.column.name = info.text(1);
            raw.column.type = info.text(2);
            raw.column.not_null = info.integer(3) != 0;
            columns.push_back(std::move(raw));
        }
        for (Raw& raw : columns) {
            const std::string shown = printable(raw.column.name, 100);
            if (raw.hidden == kVirtualColumn) {
                add_generated(raw.column);
                continue;
            }
            if (raw.hidden == kStoredColumn)
                note_stored(raw.column.name);
            else if (raw.hidden == 0 && can_be_kept(raw.default_expression, "the default of " + shown))
                raw.column.default_expression = std::move(raw.default_expression);
            raw.column.collation = column_collation(db_, schema_.name.name, raw.column.name, raw.column.autoincrement);
            raw.column.value_class = sqlite_value_class(raw.column.type);
            if (raw.key > 0) key_order_.emplace_back(raw.key, static_cast<std::uint16_t>(schema_.columns.size()));
            column_of_cid_.emplace_back(raw.cid, static_cast<std::uint16_t>(schema_.columns.size()));
            schema_.columns.push_back(std::move(raw.column));
            schema_.columns.back().attribute = static_cast<std::uint16_t>(schema_.columns.size());
        }
        std::sort(key_order_.begin(), key_order_.end());
    }

    void note_stored(const std::string& name) {
        note(fmt::format("column {} is generated: its values are carried, its expression is not", printable(name, 100)));
        const auto text = std::ranges::find_if(facts_.generated, [&](const auto& entry) { return same_sqlite_name(entry.first, name); });
        table_.stored_generated.emplace_back(static_cast<std::uint16_t>(schema_.columns.size()), text == facts_.generated.end() ? "" : text->second);
    }

    /// Computed when it is read: no trigger sees its values, so a follower has to compute them too.
    void add_generated(const ColumnSchema& column) {
        const auto text = std::find_if(facts_.generated.begin(), facts_.generated.end(), [&](const auto& entry) { return same_sqlite_name(entry.first, column.name); });
        const std::string shown = "generated column " + printable(column.name, 100);
        if (text == facts_.generated.end() || !can_be_kept(text->second, shown)) {
            if (text == facts_.generated.end()) note(shown + " is not carried: its expression was not found");
            return;
        }
        bool unused = false;
        GeneratedColumn generated{column.name, column.type, text->second, false, column.not_null, static_cast<std::uint16_t>(schema_.columns.size())};
        generated.collation = column_collation(db_, schema_.name.name, column.name, unused);
        schema_.generated.push_back(std::move(generated));
    }

    void read_checks() {
        for (CheckConstraint& check : facts_.checks) {
            if (find_bad_text(check.name) != std::string::npos) check.name.clear();
            if (can_be_kept(check.expression, "a CHECK constraint")) schema_.checks.push_back(std::move(check));
        }
    }

    [[nodiscard]] std::optional<std::uint16_t> column_of(int cid) const {
        for (const auto& [id, column] : column_of_cid_)
            if (id == cid) return column;
        return std::nullopt;
    }

    void read_primary_key(const std::vector<RawIndex>& indexes) {
        if (key_order_.empty()) return;
        ColumnIndexes key;
        std::vector<std::string> collations;
        for (const auto& [order, column] : key_order_) {
            key.push_back(column);
            collations.push_back(schema_.columns[column].collation);
        }
        const auto index = std::find_if(indexes.begin(), indexes.end(), [](const RawIndex& candidate) { return candidate.origin == "pk"; });
        if (index == indexes.end() && !schema_.without_rowid) {
            // Only the rowid itself needs no index.
            schema_.columns[key.front()].not_null = true;
            schema_.columns[key.front()].auto_number = AutoNumber::by_default;
        } else if (index != indexes.end()) {
            for (std::size_t i = 0; i < index->parts.size() && i < collations.size(); ++i) collations[i] = index->parts[i].collation;
        }
        if (schema_.without_rowid)
            for (const std::uint16_t column : key) schema_.columns[column].not_null = true;

        if (all_not_null(key)) {
            schema_.primary_key = key;
            add_unique_key(index == indexes.end() ? "PRIMARY KEY" : index->name, key, collations);
            return;
        }
        // SQLite accepts any number of NULLs in such a key, so it is what other engines call a unique constraint.
        note("the primary key allows NULL: carried as a unique constraint");
        schema_.indexes.push_back({index->name, true, true, key, std::vector<bool>(key.size(), false), collations});
        add_unique_key(index->name, key, collations);
    }

    void read_index(const RawIndex& index) {
        if (index.origin == "pk") return;
        IndexSchema schema{index.name, index.unique, index.origin == "u", {}, {}, {}};
        for (const RawIndex::Part& part : index.parts) {
            const auto column = part.column == kRowidColumn ? rowid_column() : column_of(part.column);
            if (index.partial || !column) return read_expression_index(index);
            schema.columns.push_back(*column);
            schema.descending.push_back(part.descending);
            schema.collations.push_back(part.collation);
        }
        if (index.unique) add_unique_key(index.name, schema.columns, schema.collations);
        schema_.indexes.push_back(std::move(schema));
    }

    /// With a predicate, over expressions or over columns that are computed when they are read.
    void read_expression_index(const RawIndex& index) {
        const std::string shown = fmt::format("{}index {}", index.unique ? "unique " : "", printable(index.name, 100));
        const CreateIndexFacts facts = index.origin == "u" ? facts_of_constraint(index) : read_create_index(sql_of("index", index.name));
        if (index.unique) table_.hidden_indexes.push_back({.name = index.name, .unique = true, .keys = {}, .predicate = {}});
        if (facts.keys.size() != index.parts.size() || index.partial == facts.predicate.empty()) return note(shown + " is not carried: its text was not understood");
        ExpressionIndex result;
        result.name = index.name;
        result.unique = index.unique;
        result.predicate = facts.predicate;
        for (std::size_t i = 0; i < index.parts.size(); ++i) {
            const auto column = index.parts[i].column == kRowidColumn ? rowid_column() : column_of(index.parts[i].column);
            if (index.parts[i].column == kRowidColumn && !column) return note(shown + " is not carried: it is over the rowid");
            if (!can_be_kept(facts.keys[i], shown) || !can_be_kept(facts.predicate, shown)) return;
            result.keys.push_back({column ? quote_identifier(schema_.columns[*column].name) : facts.keys[i], index.parts[i].descending, index.parts[i].collation});
        }
        if (index.unique) table_.hidden_indexes.back() = result;
        if (index.origin == "u") return note(shown + " is not carried: it is a constraint over generated columns");
        schema_.expression_indexes.push_back(std::move(result));
    }

    /// UNIQUE in the table's text, which has no text of its own.
    static CreateIndexFacts facts_of_constraint(const RawIndex& index) {
        CreateIndexFacts facts;
        for (const RawIndex::Part& part : index.parts) facts.keys.push_back(quote_identifier(part.name));
        return facts;
    }

    [[nodiscard]] std::optional<std::uint16_t> rowid_column() const {
        for (std::uint16_t i = 0; i < schema_.columns.size(); ++i)
            if (schema_.columns[i].auto_number == AutoNumber::by_default) return i;
        return std::nullopt;
    }

    void add_unique_key(std::string name, ColumnIndexes columns, std::vector<std::string> collations) {
        schema_.unique_keys.push_back({std::move(name), std::move(columns)});
        table_.unique_collations.push_back(std::move(collations));
    }

    [[nodiscard]] bool all_not_null(const ColumnIndexes& columns) const {
        return std::all_of(columns.begin(), columns.end(), [&](std::uint16_t column) { return schema_.columns[column].not_null; });
    }

    /// The primary key; else the shortest unique key without NULLs. Never the rowid: VACUUM changes it.
    void choose_identity() {
        ColumnIndexes best = schema_.primary_key;
        std::sort(best.begin(), best.end());
        if (best.empty()) {
            for (const UniqueKey& key : schema_.unique_keys) {
                if (!all_not_null(key.columns)) continue;
                ColumnIndexes candidate = key.columns;
                std::sort(candidate.begin(), candidate.end());
                candidate.erase(std::unique(candidate.begin(), candidate.end()), candidate.end());
                if (best.empty() || candidate.size() < best.size() || (candidate.size() == best.size() && candidate < best))
                    best = candidate;
            }
        }
        schema_.identity = best;
    }

    std::string sql_of(std::string_view type, const std::string& name) {
        SqliteStatement statement = db_.prepare("SELECT sql FROM main.sqlite_schema WHERE type = ?1 AND name = ?2");
        statement.bind(1, type).bind(2, name);
        return statement.step() ? statement.text(0) : std::string{};
    }

    void read_foreign_keys() {
        struct Raw {
            std::size_t id = 0;
            ForeignKey key;
            std::vector<std::string> from;
        };
        std::vector<Raw> keys;
        SqliteStatement list = db_.prepare(
            "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq");
        list.bind(1, schema_.name.name);
        while (list.step()) {
            const auto id = static_cast<std::size_t>(list.integer(0));
            if (keys.empty() || keys.back().id != id) {
                keys.push_back({id, {}, {}});
                keys.back().key.parent = {"main", list.text(1)};
                keys.back().key.on_update = list.text(4);
                keys.back().key.on_delete = list.text(5);
            }
            keys.back().from.push_back(list.text(2));
            if (!list.is_null(3)) keys.back().key.parent_columns.push_back(list.text(3));
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
            // The pragma counts backwards, the text forwards.
            if (facts_.foreign_keys.size() == keys.size()) {
                keys[i].key.deferrable = facts_.foreign_keys[i].deferrable;
                keys[i].key.initially_deferred = facts_.foreign_keys[i].initially_deferred;
            }
            add_foreign_key(keys[i].key, keys[i].from);
        }
    }

    void add_foreign_key(ForeignKey key, const std::vector<std::string>& from) {
        if (!spell_like_parent(key)) {
            note(fmt::format("the foreign key to {} is not carried: there is no such table or column", printable(key.parent.name, 100)));
            return;
        }
        for (const std::string& name : from) {
            const auto column = std::find_if(schema_.columns.begin(), schema_.columns.end(),
                                             [&](const ColumnSchema& c) { return same_sqlite_name(c.name, name); });
            if (column == schema_.columns.end()) {
                note(fmt::format("the foreign key to {} is not carried: column {} is not either", printable(key.parent.name, 100),
                                 printable(name, 100)));
                return;
            }
            key.columns.push_back(static_cast<std::uint16_t>(column - schema_.columns.begin()));
        }
        schema_.foreign_keys.push_back(std::move(key));
    }

    /// SQLite takes any spelling in a REFERENCES clause, other engines the table's own. False when the parent is not there.
    bool spell_like_parent(ForeignKey& key) {
        SqliteStatement parent = db_.prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE");
        parent.bind(1, key.parent.name);
        if (!parent.step()) return false;
        key.parent.name = parent.text(0);
        SqliteStatement column = db_.prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE name = ?2 COLLATE NOCASE");
        for (std::string& name : key.parent_columns) {
            column.reset();
            column.bind(1, key.parent.name).bind(2, name);
            if (!column.step()) return false;
            name = column.text(0);
        }
        return true;
    }

    void choose_rowid_name() {
        if (schema_.without_rowid) return;
        SqliteStatement hidden = db_.prepare("SELECT 1 FROM pragma_table_xinfo(?1, 'main') WHERE name = ?2 COLLATE NOCASE");
        for (const char* name : {"rowid", "_rowid_", "oid"}) {
            hidden.reset();
            hidden.bind(1, schema_.name.name).bind(2, name);
            if (!hidden.step()) {
                table_.rowid_name = name;
                return;
            }
        }
    }

    SqliteDatabase& db_;
    SqliteTable& table_;
    TableSchema& schema_;
    CreateTableFacts facts_;
    std::vector<std::pair<int, std::uint16_t>> key_order_;
    std::vector<std::pair<int, std::uint16_t>> column_of_cid_;
};

}  // namespace

bool same_sqlite_name(std::string_view left, std::string_view right) noexcept {
    const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char a, char b) { return fold(a) == fold(b); });
}

std::vector<TableName> list_sqlite_tables(SqliteDatabase& db) {
    std::vector<TableName> names;
    SqliteStatement list = db.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name");
    while (list.step()) {
        std::string name = list.text(0);
        if (!is_ours_or_sqlites(name)) names.push_back({"main", std::move(name)});
    }
    return names;
}

std::vector<SqliteSkipped> list_sqlite_skipped(SqliteDatabase& db) {
    std::vector<SqliteSkipped> skipped;
    SqliteStatement list = db.prepare("SELECT type, name FROM pragma_table_list WHERE schema = 'main' AND type <> 'table' ORDER BY type DESC, name");
    while (list.step()) {
        const std::string type = list.text(0);
        skipped.push_back({type == "virtual" ? "virtual table" : type == "shadow" ? "shadow table of a virtual table" : type, list.text(1), {}});
    }
    SqliteStatement triggers = db.prepare("SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name");
    while (triggers.step())
        if (!is_ours_or_sqlites(triggers.text(0))) skipped.push_back({"trigger", triggers.text(0), triggers.text(1)});
    return skipped;
}

std::optional<SqliteTable> read_sqlite_table(SqliteDatabase& db, const std::string& name) {
    SqliteStatement list =
        db.prepare("SELECT name, wr, strict FROM pragma_table_list(?1) WHERE schema = 'main' AND type = 'table' AND name = ?1");
    list.bind(1, name);
    if (!list.step()) return std::nullopt;
    SqliteTable table;
    table.schema.engine = Engine::sqlite;
    table.schema.name = {"main", list.text(0)};
    table.schema.without_rowid = list.integer(1) != 0;
    table.schema.strict = list.integer(2) != 0;
    TableReader{db, table}.read();
    return table;
}

}  // namespace rowferry
