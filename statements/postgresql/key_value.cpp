#include "statements/postgresql/key_value.h"

#include <cctype>
#include <charconv>
#include <cstdint>

namespace rowferry {
namespace {

std::optional<std::string> whole_number(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return std::to_string(number);
}

/// 32 hexadecimal digits, in whatever groups and case.
std::optional<std::string> uuid(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c == '-' || c == '{' || c == '}') continue;
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return std::nullopt;
        digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return digits.size() == 32 ? std::optional{digits} : std::nullopt;
}

}  // namespace

std::optional<std::string> key_value(const CatalogTable::Column& column, const SqlOperand& operand, const std::vector<std::optional<std::string>>& parameters) {
    std::string text = operand.text;
    if (operand.kind == SqlOperand::Kind::parameter) {
        if (operand.number < 1 || static_cast<std::size_t>(operand.number) > parameters.size() || !parameters[static_cast<std::size_t>(operand.number - 1)]) return std::nullopt;
        text = *parameters[static_cast<std::size_t>(operand.number - 1)];
    } else if (operand.kind != SqlOperand::Kind::number && operand.kind != SqlOperand::Kind::string) {
        return std::nullopt;
    }
    if (column.type == "int2" || column.type == "int4" || column.type == "int8") return whole_number(text);
    if (column.type == "uuid") return uuid(text);
    const bool is_text = column.type == "text" || column.type == "varchar";
    if (!is_text || !column.exact_text || operand.kind == SqlOperand::Kind::number) return std::nullopt;
    // varchar(3) takes 'abc   ' for 'abc'.
    if (column.type == "varchar") text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

}  // namespace rowferry
