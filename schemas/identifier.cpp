#include "schemas/identifier.h"

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

std::string doubled(std::string_view text, char quote) {
    std::string result;
    result.reserve(text.size() + 2);
    result += quote;
    for (const char c : text) {
        if (c == '\0') throw HaltError{fmt::format("the name \"{}\" holds a NUL byte", printable(text))};
        if (c == quote) result += quote;
        result += c;
    }
    result += quote;
    return result;
}

}  // namespace

std::string quote_identifier(std::string_view name) { return doubled(name, '"'); }
std::string quote_literal(std::string_view value) { return doubled(value, '\''); }
std::string quote_table(const TableName& name) { return quote_identifier(name.schema) + "." + quote_identifier(name.name); }

std::string printable(std::string_view text, std::size_t limit) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    std::string result;
    for (const char c : text) {
        if (result.size() >= limit) return result + "…";
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n')
            result += ' ';
        else if (byte < 0x20 || byte == 0x7F)
            result += fmt::format("\\x{:02X}", byte);
        else
            result += c;
    }
    return result;
}

TableName follower_table(const TableName& leader, Engine from, Engine to) {
    if (to == Engine::postgresql) return {from == Engine::sqlite ? "public" : leader.schema, leader.name};
    if (leader.schema == "main" || leader.schema == "public") return {"main", leader.name};
    return {"main", leader.schema + "__" + leader.name};
}

TableName follower_table(const TableSchema& table, Engine to) {
    return table.renamed_to ? *table.renamed_to : follower_table(table.name, table.engine, to);
}

TableName follower_parent(const TableSchema& table, const ForeignKey& key, Engine to) {
    return key.parent_renamed_to ? *key.parent_renamed_to : follower_table(key.parent, table.engine, to);
}

}  // namespace rowferry
