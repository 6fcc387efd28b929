#include "statements/sqlite/script_verb.h"

#include <algorithm>

#include "db/sqlite_schema.h"
#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

/// The first tokens decide; a long text of values behind them need not be taken apart.
constexpr std::size_t kEnough = 512;

}  // namespace

ScriptVerb script_verb(std::string_view sql) {
    using Kind = ScriptVerb::Kind;
    // Comments inside the words of such a statement are rare, and short where they are.
    const std::vector<SqliteToken> tokens = sqlite_tokens(sql.substr(0, kEnough));
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
