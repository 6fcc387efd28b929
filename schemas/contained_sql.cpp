#include "schemas/contained_sql.h"

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// End of a quoted part that begins at `at`; npos when it does not end. In E'…' a backslash takes the next byte along.
std::size_t end_of_quotes(std::string_view text, std::size_t at, bool backslashes) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (backslashes && text[i] == '\\')
            ++i;
        else if (text[i] == quote && i + 1 < text.size() && text[i + 1] == quote)
            ++i;
        else if (text[i] == quote)
            return i + 1;
    }
    return std::string_view::npos;
}

bool goes_on_a_word(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || byte >= 0x80;
}

}  // namespace

bool is_contained_sql(std::string_view text) {
    int depth = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        const std::string_view two = text.substr(at, 2);
        if (c == '\'' || c == '"') {
            const bool letter = c == '\'' && at > 0 && (text[at - 1] == 'E' || text[at - 1] == 'e');
            const bool escapes = letter && (at == 1 || !goes_on_a_word(text[at - 2]));  // not the end of DATE'…'
            at = end_of_quotes(text, at, escapes);
            if (at == std::string_view::npos) return false;
            continue;
        }
        if (c == ';' || c == '\0' || c == '$' || two == "--" || two == "/*") return false;
        if (c == '(' || c == '[') ++depth;
        if ((c == ')' || c == ']') && --depth < 0) return false;
        ++at;
    }
    return depth == 0;
}

const std::string& contained_sql(const TableName& table, const std::string& text) {
    if (!is_contained_sql(text))
        throw RefusedError{fmt::format("{}: the leader shows an expression that is not one, and it does not go into the follower's DDL. Leave the table out "
                                       "with --exclude-table, or create it on the follower yourself",
                                       to_string(table))};
    return text;
}

}  // namespace rowferry
