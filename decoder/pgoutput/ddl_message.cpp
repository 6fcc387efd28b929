#include "decoder/pgoutput/ddl_message.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_alter.h"
#include "schemas/shape_diff.h"

namespace rowferry::pgoutput {
namespace {

using Json = nlohmann::json;

/// A member that may be missing or null.
template <typename Value>
Value member(const Json& json, const char* name, Value otherwise = {}) {
    const auto found = json.find(name);
    return found == json.end() || found->is_null() ? otherwise : found->get<Value>();
}

TableName name_of(const Json& json) { return {json.at("schema").get<std::string>(), json.at("name").get<std::string>()}; }

DdlColumn column_of(const Json& json) {
    DdlColumn column;
    ColumnSchema& schema = column.schema;
    schema.attribute = json.at("number").get<std::uint16_t>();
    schema.name = json.at("name").get<std::string>();
    schema.type = json.at("type").get<std::string>();
    schema.type_oid = json.at("type_oid").get<std::uint32_t>();
    schema.type_modifier = json.at("modifier").get<std::int32_t>();
    schema.not_null = json.at("not_null").get<bool>();
    schema.base_type = member<std::string>(json, "base", schema.type);
    schema.value_class = pg_value_class(member<std::uint32_t>(json, "base_oid"));
    schema.enum_labels = member<std::vector<std::string>>(json, "labels");
    schema.default_expression = member<std::string>(json, "default");
    if (const auto missing = json.find("missing"); missing != json.end() && !missing->is_null()) schema.missing_value = missing->get<std::string>();
    const auto automatic = member<std::string>(json, "auto");
    if (automatic == "a")
        schema.auto_number = AutoNumber::always;
    else if (automatic == "d" || member<bool>(json, "serial"))
        schema.auto_number = AutoNumber::by_default;
    if (schema.auto_number != AutoNumber::none) schema.default_expression.clear();
    column.generated = !member<std::string>(json, "generated").empty();
    column.has_default = member<bool>(json, "defaults");
    return column;
}

DdlTable table_of(const Json& json) {
    DdlTable table;
    table.oid = json.at("oid").get<std::uint32_t>();
    table.name = name_of(json);
    table.partition = member<bool>(json, "partition");
    table.partitioned = member<std::string>(json, "kind") == "p";
    table.extension = member<bool>(json, "extension");
    const auto identity = json.at("identity").get<std::string>();
    table.identity = identity.empty() ? 'n' : identity.front();
    table.file_node = json.at("file").get<std::uint32_t>();
    table.key = member<std::vector<int>>(json, "key");
    table.key_deferrable = member<bool>(json, "key_deferrable");
    table.identity_key = member<std::vector<int>>(json, "identity_key");
    for (const Json& column : member<Json>(json, "columns", Json::array())) table.columns.push_back(column_of(column));
    return table;
}

using Places = std::map<int, std::uint16_t>;  // column number → index in TableSchema::columns

/// Columns of the shape before, in the numbering of the shape after; nothing when one is gone.
std::optional<ColumnIndexes> moved(const TableSchema& before, const ColumnIndexes& columns, const Places& places) {
    ColumnIndexes result;
    for (const std::uint16_t column : columns) {
        const auto found = places.find(before.columns.at(column).attribute);
        if (found == places.end()) return std::nullopt;
        result.push_back(found->second);
    }
    return result;
}

ColumnIndexes indexes_of(const std::vector<int>& numbers, const Places& places) {
    ColumnIndexes result;
    for (const int number : numbers) {
        const auto found = places.find(number);
        if (found == places.end()) return {};
        result.push_back(found->second);
    }
    return result;
}

/// Keys, indexes and foreign keys go with their columns.
template <typename Item>
void move_columns(std::vector<Item>& items, const TableSchema& before, const Places& places) {
    std::erase_if(items, [&](Item& item) {
        const auto columns = moved(before, item.columns, places);
        if (columns) item.columns = *columns;
        return !columns;
    });
}

ColumnIndexes identity_after(const TableSchema& before, const DdlTable& table, const Places& places) {
    ColumnIndexes identity;
    switch (table.identity) {
        case 'd':
            if (!table.key_deferrable) identity = indexes_of(table.key, places);
            break;
        case 'i': identity = indexes_of(table.identity_key, places); break;
        case 'f': identity = moved(before, before.identity, places).value_or(ColumnIndexes{}); break;
        default: break;
    }
    std::ranges::sort(identity);
    return identity;
}

}  // namespace

DdlMessage parse_ddl_message(std::span<const std::byte> content) {
    const std::string_view text{reinterpret_cast<const char*>(content.data()), content.size()};
    try {
        const Json json = Json::parse(text);
        static_cast<void>(json.get_ref<const Json::object_t&>());  // throws for anything else
        DdlMessage message;
        message.tag = member<std::string>(json, "tag");
        message.unknown = json.contains("unknown");
        for (const Json& table : member<Json>(json, "tables", Json::array())) message.tables.push_back(table_of(table));
        for (const Json& type : member<Json>(json, "types", Json::array())) message.enums.push_back({name_of(type), member<std::vector<std::string>>(type, "labels")});
        for (const Json& table : member<Json>(json, "dropped", Json::array())) message.dropped.push_back({table.at("oid").get<std::uint32_t>(), name_of(table)});
        if (json.contains("rewrite"))
            message.rewrite = {json.at("rewrite").get<std::uint32_t>(), member<std::vector<std::uint32_t>>(json, "above"), json.at("reason").get<int>(),
                               json.at("using").get<bool>()};
        return message;
    } catch (const Json::exception&) {
        throw DecodeError{"a logical message rowferry_ddl that the event triggers of rowferry did not write"};
    }
}

TableSchema shape_after(const TableSchema& before, const DdlTable& table, const std::vector<DdlEnum>& enums) {
    TableSchema after = before;
    after.name = table.name;
    after.file_node = table.file_node;
    after.columns.clear();
    Places places;
    std::map<int, const ColumnSchema*> known;
    for (const ColumnSchema& column : before.columns) known[column.attribute] = &column;
    for (const DdlColumn& told : table.columns) {
        if (told.generated) continue;
        ColumnSchema column = told.schema;
        if (const auto old = known.find(column.attribute); old != known.end()) {
            ColumnSchema merged = *old->second;
            merged.name = column.name;
            merged.type = column.type;
            merged.type_oid = column.type_oid;
            merged.type_modifier = column.type_modifier;
            merged.base_type = column.base_type;
            merged.value_class = column.value_class;
            merged.enum_labels = column.enum_labels;
            merged.not_null = column.not_null;
            // A default that is more than a literal stays where it is: it does not travel while a stream runs.
            if (told.has_default && (column.default_expression.empty() || is_plain_default(column.default_expression)))
                merged.default_expression = column.default_expression;
            merged.auto_number = column.auto_number;
            column = std::move(merged);
        }
        places[column.attribute] = static_cast<std::uint16_t>(after.columns.size());
        after.columns.push_back(std::move(column));
    }
    after.primary_key = indexes_of(table.key, places);
    after.primary_key_deferrable = table.key_deferrable;
    after.identity = identity_after(before, table, places);
    move_columns(after.unique_keys, before, places);
    move_columns(after.indexes, before, places);
    move_columns(after.foreign_keys, before, places);
    for (const DdlEnum& told : enums)
        for (UserType& type : after.types)
            if (type.kind == UserType::Kind::enumeration && type.name == told.name) type.labels = told.labels;
    return after;
}

std::string rewrite_obstacle(const DdlMessage::Rewrite& rewrite, const TableSchema& before, const TableSchema& after) {
    if ((rewrite.reason & DdlMessage::Rewrite::kTypes) != 0) {
        if (rewrite.with_expression) return "its rows were rewritten by an expression (ALTER COLUMN … TYPE … USING), whose result the log does not show";
        bool other_type = false;
        for (std::uint16_t i = 0; i < before.columns.size(); ++i)
            if (const auto now = same_column(before, i, after)) other_type = other_type || before.columns[i].type_oid != after.columns[*now].type_oid ||
                                                                before.columns[i].type_modifier != after.columns[*now].type_modifier;
        if (!other_type) return "its rows were rewritten, and the log does not show why";
    }
    // A rewrite also takes the missing value away that a constant default would have left.
    for (std::uint16_t i = 0; i < after.columns.size(); ++i) {
        const bool added = std::ranges::none_of(before.columns, [&](const ColumnSchema& old) { return old.attribute == after.columns[i].attribute; });
        if (added) return fmt::format("its rows were rewritten with values in the new column {} that the log does not show", printable(after.columns[i].name, 80));
    }
    return {};
}

}  // namespace rowferry::pgoutput
