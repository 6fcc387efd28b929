#include "schemas/table_shape.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/ascii.h"
#include "schemas/conversion.h"
#include "schemas/digest.h"
#include "schemas/error.h"
#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "schemas/shown.h"
#include "schemas/table_subset.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

constexpr std::uint32_t kTextOid = 25;

[[noreturn]] void refuse(const TableSchema& table, const ColumnSchema& column, std::string_view why) {
    throw RefusedError{fmt::format("{}.{}: {}", to_string(table.name), shown(column.name), why)};
}

/// Rows are told apart by it.
bool in_a_key(const TableSchema& table, std::uint16_t column) {
    return holds(table.primary_key, column) || holds(table.identity, column) ||
           std::ranges::any_of(table.unique_keys, [&](const UniqueKey& key) { return holds(key.columns, column); });
}

bool is_binary(const ColumnSchema& column) { return column.collation.empty() || column.collation == "BINARY"; }

/// Equal values have equal texts, so that their digests are equal as well.
bool one_text_per_value(const ColumnSchema& column) {
    switch (column.value_class) {
        case ValueClass::integer: case ValueClass::boolean: case ValueClass::text: case ValueClass::bytes: case ValueClass::date: case ValueClass::uuid:
            return is_binary(column) && column.type.find("char(") == std::string::npos;
        default: return false;
    }
}

/// `numeric` of `numeric(10,2)`, of `numeric(10,2)[]` nothing shorter.
std::string without_modifier(const std::string& type) {
    const std::size_t open = type.find('(');
    if (open == std::string::npos || type.ends_with("]")) return type;
    const std::size_t close = type.find(')', open);
    std::string plain = type.substr(0, open);
    while (!plain.empty() && plain.back() == ' ') plain.pop_back();
    return close == std::string::npos ? plain : plain + type.substr(close + 1);
}

const TypeRule* type_rule(const TableRules& rules, const ColumnSchema& column) {
    const TypeRule* found = nullptr;
    const std::array names{lower(column.type), lower(column.base_type), lower(without_modifier(column.type)), lower(without_modifier(column.base_type))};
    for (const TypeRule& rule : rules.types)
        if (std::ranges::find(names, lower(rule.leader_type)) != names.end()) found = &rule;
    return found;
}

void make_text(ColumnSchema& column, Engine engine) {
    column.type = column.base_type = engine == Engine::postgresql ? "text" : "TEXT";
    if (engine == Engine::sqlite) column.base_type.clear();
    column.type_oid = engine == Engine::postgresql ? kTextOid : 0;
    column.type_modifier = -1;
    column.value_class = ValueClass::text;
    column.enum_labels.clear();
    column.pg_collation.clear();
    column.profile = {};
    if (engine == Engine::sqlite) {
        column.collation = "BINARY";
        column.profile = {.texts = true, .only_zero_or_one = false, .only_dates = false, .only_times = false, .only_timestamps = false,
                          .only_zoned_timestamps = false, .only_uuids = false, .only_json = false, .only_numbers = false, .only_nan = false, .shortest_text = kSha256HexLength,
                          .longest_text = kSha256HexLength};
    }
}

/// One table on its way to the follower.
class Shaping {
public:
    Shaping(const TableRules& rules, const TablePtr& leader, const std::vector<TablePtr>& all, Engine follower)
        : rules_{rules}, own_{rules.of(*leader)}, leader_{*leader}, all_{all}, follower_{follower}, table_{*leader} {}

    TablePtr shape() {
        if (own_.rename) rename_table();
        for (std::size_t i = 0; i < table_.columns.size(); ++i) shape_column(static_cast<std::uint16_t>(i));
        check_column_names();
        shape_foreign_keys();
        leave_out_what_masks_change();
        stand_alone_if_shaped();
        return std::make_shared<const TableSchema>(std::move(table_));
    }

private:
    [[nodiscard]] const ColumnRule* rule_of(std::uint16_t column) const { return own_.column(leader_.engine, leader_.columns[column].name); }

    [[nodiscard]] static Mask::Kind mask_of(const RulesOfTable& rules, const TableSchema& table, std::uint16_t column) {
        const ColumnRule* rule = rules.column(table.engine, table.columns[column].name);
        return rule == nullptr ? Mask::Kind::none : rule->mask.kind;
    }

    void rename_table() { table_.renamed_to = renamed(leader_, own_); }

    [[nodiscard]] TableName renamed(const TableSchema& table, const RulesOfTable& rules) const {
        TableName name = parse_table_name(*rules.rename);
        const TableName usual = follower_table(table.name, table.engine, follower_);
        if (name.schema.empty()) name.schema = usual.schema;
        if (follower_ == Engine::sqlite && name.schema != "main")
            throw RefusedError{fmt::format("{}: the new name {} has a schema, and SQLite has none but main", to_string(table.name), to_string(name))};
        return name;
    }

    void shape_column(std::uint16_t index) {
        ColumnSchema& column = table_.columns[index];
        const ColumnRule* rule = rule_of(index);
        const Mask::Kind mask = rule == nullptr ? Mask::Kind::none : rule->mask.kind;
        if (mask != Mask::Kind::none && mask != Mask::Kind::drop) check_mask(index, rule->mask);
        if (const TypeRule* type = type_rule(rules_, column); type != nullptr && mask != Mask::Kind::sha256) {
            column.wanted_type = type->type;
            column.encoding = type->encoding;
        }
        settle_mismatch(index, rule);
        if (rule == nullptr) return;
        if (rule->type || rule->encoding != TimeEncoding::none) {
            if (mask == Mask::Kind::sha256) refuse(leader_, leader_.columns[index], "a sha256 mask makes it a text; there can be no other type for it");
            column.wanted_type = rule->type.value_or("");
            column.encoding = rule->encoding;
        }
        if (rule->rename && *rule->rename != column.name) {
            column.leader_name = column.name;
            column.name = *rule->rename;
        }
        if (mask == Mask::Kind::sha256) make_text(column, leader_.engine);
        if (mask == Mask::Kind::none) return;
        column.default_expression.clear();
        column.missing_value.reset();
        column.auto_number = AutoNumber::none;
        column.numbering.reset();
        column.autoincrement = false;
    }

    void check_mask(std::uint16_t index, const Mask& mask) const {
        const ColumnSchema& column = leader_.columns[index];
        if (mask.kind == Mask::Kind::sha256) {
            if (rules_.salt.empty()) refuse(leader_, column, "a sha256 mask needs a salt: --salt-file, or ROWFERRY_MASK_SALT in the environment");
            return;
        }
        if (in_a_key(leader_, index))
            refuse(leader_, column, fmt::format("it is part of a key, and under the mask {} different rows would be the same: use sha256", to_string(mask.kind)));
        if (mask.kind == Mask::Kind::truncate) {
            const bool text = column.value_class == ValueClass::text && (leader_.engine == Engine::postgresql || sqlite_affinity(column.type) == Affinity::text);
            if (!text) refuse(leader_, column, fmt::format("only texts can be truncated, and it is {}", column.type.empty() ? "a column without a type" : shown(column.type)));
            return;
        }
        const bool number = column.value_class == ValueClass::integer || column.value_class == ValueClass::real || column.value_class == ValueClass::numeric;
        if (number && !is_number(mask.text)) refuse(leader_, column, "the mask's constant is not a number");
    }

    void settle_mismatch(std::uint16_t index, const ColumnRule* rule) {
        ColumnSchema& column = table_.columns[index];
        if (leader_.engine == Engine::postgresql) {
            const OnMismatch wanted = rule != nullptr && rule->on_mismatch ? *rule->on_mismatch : own_.on_mismatch;
            if (wanted != OnMismatch::stop)
                refuse(leader_, leader_.columns[index], "on-mismatch other than stop is for SQLite leaders: what a PostgreSQL column holds is known by its type");
            return;
        }
        const bool cannot_be_null = column.not_null || in_a_key(leader_, index);
        if (rule != nullptr && rule->on_mismatch) {
            if (*rule->on_mismatch == OnMismatch::null_value && cannot_be_null)
                refuse(leader_, leader_.columns[index], "on-mismatch null is not for columns that are part of a key or NOT NULL: use quarantine");
            column.on_mismatch = *rule->on_mismatch;
            return;
        }
        column.on_mismatch = own_.on_mismatch == OnMismatch::null_value && cannot_be_null ? OnMismatch::stop : own_.on_mismatch;
    }

    void check_column_names() const {
        for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            if (table_.columns[i].leader_name.empty()) continue;
            const auto same = [&](std::string_view other) {
                return same_column_name(Engine::sqlite, other, table_.columns[i].name) && (follower_ == Engine::sqlite || other == table_.columns[i].name);
            };
            for (std::size_t other = 0; other < table_.columns.size(); ++other)
                if (other != i && same(table_.columns[other].name))
                    throw RefusedError{fmt::format("{}: column {} cannot be renamed to {}: another column has that name", to_string(leader_.name),
                                                   shown(table_.columns[i].leader_name), shown(table_.columns[i].name))};
            for (const GeneratedColumn& generated : table_.generated)
                if (same(generated.name))
                    throw RefusedError{fmt::format("{}: column {} cannot be renamed to {}: a generated column has that name", to_string(leader_.name),
                                                   shown(table_.columns[i].leader_name), shown(table_.columns[i].name))};
        }
    }

    [[nodiscard]] const TableSchema* find(const TableName& name) const {
        for (const TablePtr& table : all_)
            if (table->name == name || (table->engine == Engine::sqlite && same_column_name(Engine::sqlite, table->name.name, name.name))) return table.get();
        return nullptr;
    }

    void shape_foreign_keys() {
        std::erase_if(table_.foreign_keys, [&](ForeignKey& key) {
            const TableSchema* parent = find(key.parent);
            if (parent == nullptr) return false;  // the follower says what it does without it
            const RulesOfTable rules = rules_.of(*parent);
            const std::string what = fmt::format("foreign key {}to {}", key.name.empty() ? "" : shown(key.name) + " ", to_string(parent->name));
            if (rules.filter) {
                table_.not_carried.push_back(what + ": the filter of that table may leave out rows it refers to");
                return true;
            }
            if (rules.rename) key.parent_renamed_to = renamed(*parent, rules);
            return !shape_parent_columns(key, *parent, rules, what);
        });
    }

    /// False when the parent lacks a column.
    bool shape_parent_columns(ForeignKey& key, const TableSchema& parent, const RulesOfTable& rules, const std::string& what) {
        ColumnIndexes columns;
        for (std::string& name : key.parent_columns) {
            const auto found = std::ranges::find_if(parent.columns, [&](const ColumnSchema& c) { return same_column_name(parent.engine, c.name, name); });
            if (found == parent.columns.end()) {
                table_.not_carried.push_back(fmt::format("{}: column {} of that table is left out", what, shown(name)));
                return false;
            }
            columns.push_back(static_cast<std::uint16_t>(found - parent.columns.begin()));
            const ColumnRule* rule = rules.column(parent.engine, name);
            if (rule != nullptr && rule->rename) name = *rule->rename;
        }
        if (key.parent_columns.empty()) columns = parent.primary_key;
        for (std::size_t i = 0; i < std::min(columns.size(), key.columns.size()); ++i) check_masked_pair(key.columns[i], parent, columns[i], rules, what);
        return true;
    }

    void check_masked_pair(std::uint16_t child, const TableSchema& parent, std::uint16_t parent_column, const RulesOfTable& parent_rules, const std::string& what) const {
        const Mask::Kind own = mask_of(own_, leader_, child);
        const Mask::Kind other = mask_of(parent_rules, parent, parent_column);
        if (own == Mask::Kind::none && other == Mask::Kind::none) return;
        const ColumnSchema& column = leader_.columns[child];
        const ColumnSchema& referred = parent.columns[parent_column];
        if (own != Mask::Kind::sha256 || other != Mask::Kind::sha256)
            refuse(leader_, column,
                   fmt::format("{} would no longer hold: mask both it and {}.{} with sha256, or neither", what, to_string(parent.name), shown(referred.name)));
        if (column.type != referred.type || !one_text_per_value(column) || !one_text_per_value(referred))
            refuse(leader_, column,
                   fmt::format("{}: equal values of {} and {} may have different digests, so a sha256 mask would break it", what, shown(column.type), shown(referred.type)));
    }

    /// Checks, indexes and generated columns were made for the values that were there, under the names that were there.
    void leave_out_what_masks_change() {
        for (std::size_t i = 0; i < table_.columns.size(); ++i) {
            const std::string& name = leader_.columns[i].name;
            const bool masked = mask_of(own_, leader_, static_cast<std::uint16_t>(i)) != Mask::Kind::none;
            if (!masked && table_.columns[i].leader_name.empty()) continue;
            const std::string_view why = masked ? "masked" : "renamed";
            std::erase_if(table_.checks, [&](const CheckConstraint& check) { return leave_out(check.expression, name, "check " + shown(check.name), why); });
            std::erase_if(table_.generated,
                          [&](const GeneratedColumn& column) { return leave_out(column.expression, name, "generated column " + shown(column.name), why); });
            std::erase_if(table_.expression_indexes, [&](const ExpressionIndex& index) {
                std::string text = index.predicate;
                for (const ExpressionIndex::Key& key : index.keys) text += " " + key.expression;
                return leave_out(text + " " + index.definition, name, "index " + shown(index.name), why);
            });
            for (IndexSchema& index : table_.indexes)
                if (!index.definition.empty() && leave_out(index.definition, name, "the storage details of index " + shown(index.name), why)) index.definition.clear();
        }
    }

    [[nodiscard]] static bool changes_shape(const RulesOfTable& rules) {
        return rules.rename || !rules.columns.empty() || !rules.excluded_columns.empty() || !rules.column_rules.empty();
    }

    /// A partition or child of another shape or name than its parent cannot be one any more.
    void stand_alone_if_shaped() {
        if (table_.parents.empty()) return;
        const bool parent_shaped = std::ranges::any_of(table_.parents, [&](const TableName& name) {
            const TableSchema* parent = find(name);
            return parent != nullptr && changes_shape(rules_.of(*parent));
        });
        if (!parent_shaped && !changes_shape(own_)) return;
        table_.not_carried.push_back(fmt::format("its place below {}: the stream's rules give it another shape, so it becomes a table of its own",
                                                 to_string(table_.parents.front())));
        table_.parents.clear();
        table_.ancestors.clear();
        table_.partition_bound.clear();
    }

    bool leave_out(std::string_view expression, const std::string& name, const std::string& what, std::string_view why) {
        if (!mentions(expression, name)) return false;
        table_.not_carried.push_back(fmt::format("{}: its column {} is {}", what, shown(name), why));
        return true;
    }

    const TableRules& rules_;
    RulesOfTable own_;
    const TableSchema& leader_;
    const std::vector<TablePtr>& all_;
    Engine follower_;
    TableSchema table_;
};

}  // namespace

TableName parse_table_name(const std::string& text) {
    std::vector<std::string> parts(1);
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool doubled = quoted && text[i] == '"' && i + 1 < text.size() && text[i + 1] == '"';
        if (doubled)
            parts.back() += text[++i];
        else if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '.' && !quoted)
            parts.emplace_back();
        else
            parts.back() += text[i];
    }
    if (quoted || parts.size() > 2 || std::ranges::any_of(parts, [](const std::string& part) { return part.empty(); }))
        throw UsageError{fmt::format("{} is not a table's name: expected [schema.]table, with a part that holds a dot in double quotes", printable(text, 100))};
    if (parts.size() == 1) return {"", parts[0]};
    return {parts[0], parts[1]};
}

TablePtr shape_table(const TableRules& rules, const TablePtr& table, const std::vector<TablePtr>& all, Engine follower) {
    return rules.empty() ? table : Shaping{rules, table, all, follower}.shape();
}

std::vector<TablePtr> shape_tables(const TableRules& rules, const std::vector<TablePtr>& leader, Engine follower) {
    if (rules.empty()) return leader;
    std::vector<TablePtr> shaped;
    for (const TablePtr& table : leader) shaped.push_back(shape_table(rules, table, leader, follower));
    return shaped;
}

}  // namespace rowferry
