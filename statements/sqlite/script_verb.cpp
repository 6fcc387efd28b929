#include "statements/sqlite/script_verb.h"

#include <algorithm>
#include <string>

#include "db/sqlite_schema.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

/// The first tokens decide; a long text of values behind them need not be taken apart.
constexpr std::size_t kEnough = 512;

/// The beginning of a statement without comments, and with one space for many: however long those are, they hide no word. No word or quoted name is cut.
std::string beginning_of(std::string_view sql) {
    std::string text;
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; };
    const auto behind = [&](std::string_view end, std::size_t from) {
        const std::size_t found = sql.find(end, from);
        return found == std::string_view::npos ? sql.size() : found + end.size();
    };
    for (std::size_t at = 0; at < sql.size();) {
        const char c = sql[at];
        const bool ends_word = is_space(c) || std::string_view{"'\"`[;,()=-/"}.find(c) != std::string_view::npos;
        if (ends_word && text.size() >= kEnough) break;
        std::size_t end = at + 1;
        bool gap = is_space(c);
        if (sql.substr(at).starts_with("--")) {
            end = behind("\n", at);
            gap = true;
        } else if (sql.substr(at).starts_with("/*")) {
            end = behind("*/", at + 2);
            gap = true;
        } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
            end = behind(c == '[' ? std::string_view{"]"} : sql.substr(at, 1), at + 1);
        }
        if (!gap)
            text += sql.substr(at, end - at);
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
        at = end;
    }
    return text;
}

}  // namespace

ScriptVerb script_verb(std::string_view sql) {
    using Kind = ScriptVerb::Kind;
    const std::vector<SqliteToken> tokens = sqlite_tokens(beginning_of(sql));
    const auto is = [&](std::size_t at, std::string_view word) { return at < tokens.size() && tokens[at].is_word(word); };
    const auto name_at = [&](std::size_t at) { return at < tokens.size() ? tokens[at].value : std::string{}; };
    if (tokens.empty()) return {};
    if (is(0, "begin")) return {Kind::begin, {}, false, is(1, "exclusive")};
    if (is(0, "commit") || is(0, "end")) return {Kind::commit};
    if (is(0, "savepoint")) return {Kind::savepoint, name_at(1)};
    if (is(0, "release")) return {Kind::release, name_at(is(1, "savepoint") ? 2 : 1)};
    if (is(0, "vacuum")) return {Kind::vacuum};
    if (is(0, "rollback")) {
        std::size_t at = is(1, "transaction") ? 2 : 1;
        if (!is(at, "to")) return {Kind::rollback};
        if (is(++at, "savepoint")) ++at;
        return {Kind::rollback_to, name_at(at)};
    }
    if (is(0, "pragma")) {
        const std::size_t at = tokens.size() > 3 && tokens[2].is_symbol(".") ? 3 : 1;
        const bool assigns = at + 1 < tokens.size() && (tokens[at + 1].is_symbol("=") || tokens[at + 1].is_symbol("("));
        return {Kind::pragma, name_at(at), assigns};
    }
    return {};
}

bool SavepointStack::release(const std::string& name) {
    const auto found = std::find_if(names_.rbegin(), names_.rend(), [&](const std::string& open) { return same_sqlite_name(open, name); });
    if (found == names_.rend()) return false;
    names_.erase(std::prev(found.base()), names_.end());
    return true;
}

bool SavepointStack::roll_back_to(const std::string& name) {
    const auto found = std::find_if(names_.rbegin(), names_.rend(), [&](const std::string& open) { return same_sqlite_name(open, name); });
    if (found == names_.rend()) return false;
    names_.erase(found.base(), names_.end());
    return true;
}

}  // namespace rowferry
