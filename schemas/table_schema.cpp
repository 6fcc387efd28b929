#include "schemas/table_schema.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/error.h"
#include "schemas/identifier.h"

/// Nothing is null.
template <typename Value>
struct nlohmann::adl_serializer<std::optional<Value>> {
    static void to_json(json& out, const std::optional<Value>& value) { out = value ? json(*value) : json(nullptr); }
    static void from_json(const json& in, std::optional<Value>& value) {
        if (in.is_null())
            value.reset();
        else
            value = in.get<Value>();
    }
};

namespace rowferry {
namespace {
using Json = nlohmann::json;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TableName, schema, name)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ColumnProfile, integers, reals, texts, blobs, only_zero_or_one, only_dates, only_times, only_timestamps,
                                   only_zoned_timestamps, only_uuids, only_json, only_numbers, only_nan, bad_texts, only_floats, least_integer,
                                   most_integer, shortest_text, longest_text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Numbering, start, increment, minimum, maximum, cycle)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ColumnSchema, name, type, type_oid, type_modifier, value_class, not_null, autoincrement, auto_number,
                                   collation, base_type, enum_labels, profile, attribute, default_expression, missing_value, comment, pg_collation, numbering, leader_name,
                                   wanted_type, encoding, on_mismatch)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GeneratedColumn, name, type, expression, stored, not_null, before, collation, comment)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CheckConstraint, name, expression, no_inherit, not_valid, inherited)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UserType::Attribute, name, type, collation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UserType, kind, name, extension, labels, base, not_null, default_expression, checks, attributes, collation, multirange,
                                   not_carried)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UniqueKey, name, columns)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IndexSchema, name, unique, constraint, columns, descending, collations, deferrable, initially_deferred, definition,
                                   extensions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExpressionIndex::Key, expression, descending, collation)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExpressionIndex, name, unique, keys, predicate, method, definition, constraint, extensions)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ForeignKey, name, columns, parent, parent_columns, on_update, on_delete, deferrable, initially_deferred,
                                   parent_renamed_to)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TableSchema, engine, name, leader_id, file_node, columns, primary_key, primary_key_name, primary_key_deferrable,
                                   primary_key_initially_deferred, identity, unique_keys, indexes, foreign_keys, not_carried, insert_only, without_rowid, strict,
                                   generated, checks, expression_indexes, comment, types, partition_key, partition_bound, parents, ancestors,
                                   partition_root, renamed_to)

std::string to_string(const TableName& name) { return printable(name.schema + "." + name.name, 200); }

std::optional<std::uint16_t> TableSchema::column_index(const std::string& column) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnSchema& c) { return c.name == column; });
    if (found == columns.end()) return std::nullopt;
    return static_cast<std::uint16_t>(found - columns.begin());
}

bool TableSchema::in_identity(std::uint16_t column) const { return std::find(identity.begin(), identity.end(), column) != identity.end(); }

std::string to_json(const TableSchema& table) {
    // SQLite names may hold any bytes; a checkpoint that cannot keep one exactly must not be written.
    try {
        return Json(table).dump();
    } catch (const Json::exception&) {
        throw HaltError{fmt::format("{}: a name in this table is not valid UTF-8", to_string(table.name))};
    }
}

TableSchema table_from_json(const std::string& json) {
    try {
        return Json::parse(json).get<TableSchema>();
    } catch (const Json::exception& error) {
        throw HaltError{fmt::format("the checkpoint holds a table shape that this version cannot read: {}", printable(error.what()))};
    }
}

std::string describe_columns(const TableSchema& table) {
    std::string text;
    for (const ColumnSchema& column : table.columns)
        text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", printable(column.name, 80), column.type.empty() ? "" : " ", printable(column.type, 80));
    return text;
}

bool same_columns(const TableSchema& left, const TableSchema& right) {
    return std::equal(left.columns.begin(), left.columns.end(), right.columns.begin(), right.columns.end(), [](const ColumnSchema& a, const ColumnSchema& b) {
        return a.name == b.name && a.type == b.type && a.collation == b.collation && a.not_null == b.not_null;
    });
}

}  // namespace rowferry
