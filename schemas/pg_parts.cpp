#include "schemas/pg_parts.h"

#include <fmt/format.h>

#include "schemas/conversion.h"
#include "schemas/expression.h"
#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

class PgPartsBuilder {
public:
    PgPartsBuilder(const TableSchema& table, const std::vector<std::string>& types) : table_{table}, types_{types} {}

    PgParts all() {
        generated();
        const ExpressionTranslator translate{table_, Engine::postgresql, types_};
        for (std::uint16_t i = 0; i < table_.columns.size(); ++i) {
            const Translation translation = translate.default_value(i);
            if (!translation.done()) note(fmt::format("the default of {} is left out: {}", printable(table_.columns[i].name, 80), translation.reason));
            parts_.defaults.push_back(translation.text);
        }
        for (const CheckConstraint& check : table_.checks) {
            const Translation translation = translate.condition(check.expression);
            if (translation.done())
                parts_.checks.push_back({check.name, translation.text});
            else
                note(fmt::format("the CHECK {} is left out: {}", check.name.empty() ? "without a name" : printable(check.name, 80), translation.reason));
        }
        for (const ExpressionIndex& index : table_.expression_indexes) expression_index(index, translate);
        return std::move(parts_);
    }

private:
    void note(const std::string& what) { parts_.notes.push_back(fmt::format("{}: {}", to_string(table_.name), what)); }

    /// PostgreSQL keeps what it computes, SQLite computes it when it is read: the same value. None may be computed from another one.
    void generated() {
        std::vector<GeneratedColumn> carried;
        std::vector<GeneratedColumn> wanted = std::move(table_.generated);
        table_.generated.clear();
        const ExpressionTranslator translate{table_, Engine::postgresql, types_};
        for (GeneratedColumn& column : wanted) {
            TableSchema alone;
            alone.engine = Engine::sqlite;
            alone.name = table_.name;
            ColumnSchema plain;
            plain.name = column.name;
            plain.type = column.type;
            plain.value_class = sqlite_value_class(column.type);
            alone.columns.push_back(std::move(plain));
            const std::string type = map_column(alone, 0, Engine::postgresql).type;
            const Translation translation = translate.generated(column, type);
            if (!translation.done()) {
                note(fmt::format("the generated column {} is left out: {}", printable(column.name, 80), translation.reason));
                continue;
            }
            parts_.generated.push_back({fmt::format("{} {} GENERATED ALWAYS AS ({}) STORED", quote_identifier(column.name), type, translation.text), column.before});
            carried.push_back(std::move(column));
        }
        table_.generated = std::move(carried);
    }

    void expression_index(const ExpressionIndex& index, const ExpressionTranslator& translate) {
        const Translation body = translate.index_body(index);
        if (!body.done()) return note(fmt::format("the {}index {} is left out: {}", index.unique ? "unique " : "", printable(index.name, 80), body.reason));
        parts_.indexes.push_back({index.name, index.unique, body.text});
    }

    TableSchema table_;  // with those generated columns only that are carried
    const std::vector<std::string>& types_;
    PgParts parts_;
};

}  // namespace

PgParts pg_parts(const TableSchema& table, const std::vector<std::string>& types) {
    if (table.engine == Engine::postgresql) return {std::vector<std::string>(table.columns.size()), {}, {}, {}, {}};
    return PgPartsBuilder{table, types}.all();
}

}  // namespace rowferry
