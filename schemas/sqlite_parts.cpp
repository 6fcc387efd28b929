#include "schemas/sqlite_parts.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/expression.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

/// Only what SQLite has built in.
bool is_known_collation(const std::string& collation) {
    const std::string folded = sqlite_folded(collation);
    return folded.empty() || folded == "binary" || folded == "nocase" || folded == "rtrim";
}

class SqlitePartsBuilder {
public:
    explicit SqlitePartsBuilder(const TableSchema& table) : table_{table} {}

    SqliteParts all() {
        for (std::uint16_t i = 0; i < table_.columns.size(); ++i) {
            const bool rowid = sqlite_rowid_key(table_) && table_.primary_key.front() == i;
            parts_.types.push_back(rowid ? "INTEGER" : map_column(table_, i, Engine::sqlite).type);
        }
        generated();
        defaults();
        checks();
        for (const ExpressionIndex& index : table_.expression_indexes) expression_index(index);
        enums();
        return std::move(parts_);
    }

private:
    void note(const std::string& what) { parts_.notes.push_back(fmt::format("{}: {}", to_string(table_.name), what)); }
    [[nodiscard]] ExpressionTranslator translator() const { return {table_, Engine::sqlite, parts_.types}; }

    /// The type a generated column would have if it were an ordinary one.
    [[nodiscard]] std::string generated_type(const GeneratedColumn& column) const {
        TableSchema alone;
        alone.engine = table_.engine;
        alone.name = table_.name;
        alone.types = table_.types;
        ColumnSchema plain;
        plain.name = column.name;
        plain.type = plain.base_type = column.type;
        plain.value_class = table_.engine == Engine::sqlite ? sqlite_value_class(column.type) : pg_value_class(column.type);
        alone.columns.push_back(std::move(plain));
        return map_column(alone, 0, Engine::sqlite).type;
    }

    /// One that is left out takes those with it that are computed from it.
    void generated() {
        const std::vector<GeneratedColumn> wanted = table_.generated;
        std::vector<GeneratedColumn> carried = wanted;
        std::vector<std::string> clauses;
        for (bool settled = false; !settled;) {
            settled = true;
            clauses.clear();
            table_.generated = carried;
            for (std::size_t i = 0; i < carried.size() && settled; ++i) {
                const GeneratedColumn& column = carried[i];
                const std::string type = generated_type(column);
                Translation translation = translator().generated(column, type);
                if (table_.engine == Engine::sqlite && !is_known_collation(column.collation)) translation.reason = "its collation is one of the application's own";
                if (!translation.done()) {
                    note(fmt::format("the generated column {} is left out: {}", printable(column.name, 80), translation.reason));
                    carried.erase(carried.begin() + static_cast<std::ptrdiff_t>(i));
                    settled = false;
                    break;
                }
                const bool collated = table_.engine == Engine::sqlite && !column.collation.empty() && sqlite_folded(column.collation) != "binary";
                clauses.push_back(fmt::format("{}{}{}{}{} GENERATED ALWAYS AS ({}) {}{}", quote_identifier(column.name), type.empty() ? "" : " ", type,
                                              collated ? " COLLATE " : "", collated ? column.collation : "", translation.text, column.stored ? "STORED" : "VIRTUAL",
                                              sqlite_comment(column.comment)));
            }
        }
        for (std::size_t i = 0; i < carried.size(); ++i) parts_.generated.push_back({clauses[i], carried[i].before});
    }

    void defaults() {
        const ExpressionTranslator translate = translator();
        for (std::uint16_t i = 0; i < table_.columns.size(); ++i) {
            const Translation translation = translate.default_value(i);
            const std::string column = printable(table_.columns[i].name, 80);
            if (!translation.done()) note(fmt::format("the default of {} is left out: {}", column, translation.reason));
            if (!translation.note.empty()) note(fmt::format("{}: {}", column, translation.note));
            parts_.defaults.push_back(translation.text.empty() ? "" : is_literal(translation.text) ? translation.text : "(" + translation.text + ")");
        }
    }

    /// SQLite takes a number, a text or a blob behind DEFAULT without parentheses.
    static bool is_literal(const std::string& text) {
        if (text.find_first_not_of("0123456789.-") == std::string::npos) return true;
        const bool opens = text.starts_with("'") || text.starts_with("x'");
        const std::string inside = opens && text.size() > 2 ? text.substr(text.find('\'') + 1) : "";
        if (inside.empty() || inside.back() != '\'') return text == "''";
        for (std::size_t i = 0; i + 1 < inside.size(); ++i)
            if (inside[i] == '\'' && inside[++i] != '\'') return false;
        return true;
    }

    void check(const std::string& name, const Translation& translation) {
        if (translation.done())
            parts_.checks.push_back(fmt::format("{}CHECK ({})", name.empty() ? "" : "CONSTRAINT " + quote_identifier(name) + " ", translation.text));
        else
            note(fmt::format("the CHECK {} is left out: {}", name.empty() ? "without a name" : printable(name, 80), translation.reason));
    }

    void checks() {
        const ExpressionTranslator translate = translator();
        for (const CheckConstraint& constraint : table_.checks) {
            if (constraint.not_valid)
                check(constraint.name, {{}, "rows older than it may break it", {}});
            else
                check(constraint.name, translate.condition(constraint.expression));
        }
        for (std::uint16_t i = 0; i < table_.columns.size(); ++i) {
            bool not_null = table_.columns[i].not_null;
            for (const UserType* domain : translate.domains(i)) {
                for (const CheckConstraint& constraint : domain->checks) check(constraint.name, translate.domain_check(i, constraint.expression));
                if (domain->not_null && !not_null) parts_.checks.push_back(fmt::format("CHECK ({} IS NOT NULL)", quote_identifier(table_.columns[i].name)));
                not_null |= domain->not_null;
            }
        }
    }

    void expression_index(const ExpressionIndex& index) {
        const std::string what = fmt::format("the {}index {} is left out", index.unique ? "unique " : "", printable(index.name, 80));
        if (index.constraint) return note(fmt::format("the exclusion constraint {} is left out", printable(index.name, 80)));
        if (!index.method.empty() && index.method != "btree") return note(fmt::format("{}: SQLite has no {} indexes", what, printable(index.method, 40)));
        const Translation body = translator().index_body(index);
        if (!body.done()) return note(fmt::format("{}: {}", what, body.reason));
        parts_.indexes.push_back({index.name, index.unique, body.text});
    }

    void enums() {
        for (const ColumnSchema& column : table_.columns)
            if (!column.enum_labels.empty())
                note(fmt::format("{}: SQLite takes any text for the enum {}, as labels may be added to it", printable(column.name, 80), printable(column.type, 80)));
    }

    TableSchema table_;  // with those generated columns only that are carried
    SqliteParts parts_;
};

}  // namespace

SqliteParts sqlite_parts(const TableSchema& table) { return SqlitePartsBuilder{table}.all(); }

std::string sqlite_comment(const std::string& comment) {
    if (comment.empty()) return {};
    std::string text;
    for (const char c : comment) {
        // Neither the end of the comment nor of the line.
        if (c == '/' && text.ends_with('*')) text += ' ';
        text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    return fmt::format(" /* {} */", text);
}

}  // namespace rowferry
