// With a sanitizer g++ 12 sees uninitialised members in the standard library's own regex automaton.
// The pragma counts where the library's lines are, so it stands before them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "schemas/selection.h"

#include <algorithm>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// The standard library's matcher recurses once per character. PostgreSQL's names have at most 63 bytes.
constexpr std::size_t kLongestMatchedName = 2000;

wchar_t fold(wchar_t c) { return c >= L'A' && c <= L'Z' ? static_cast<wchar_t>(c - L'A' + L'a') : c; }

/// One wide character per UTF-8 character, so that `?` and classes mean characters. SQLite names may hold any bytes: those that are not
/// UTF-8 become values outside Unicode, each its own.
std::wstring widen(std::string_view text) {
    std::wstring wide;
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
        const unsigned char first = byte(at);
        const std::size_t length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 1;
        std::uint32_t code = length == 1 ? first : first & (0xFFU >> (length + 1));
        bool valid = first < 0x80 || length > 1;
        for (std::size_t i = 1; valid && i < length; ++i) {
            valid = at + i < text.size() && (byte(at + i) & 0xC0) == 0x80;
            if (valid) code = code << 6 | (byte(at + i) & 0x3FU);
        }
        wide += static_cast<wchar_t>(valid ? code : 0x200000U + first);
        at += valid ? length : 1;
    }
    return wide;
}

[[noreturn]] void malformed(const std::string& text, std::string_view why) {
    throw UsageError{fmt::format("the pattern {} is malformed: {}", printable(text), why)};
}

/// psql's translation of a pattern into regular expressions, one per dotted part (see "Patterns" in psql's manual).
std::vector<std::wstring> translate(const std::string& text) {
    std::vector<std::wstring> parts(1);
    const std::wstring pattern = widen(text);
    bool quoted = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const wchar_t c = pattern[i];
        const bool escaped_quote = quoted && i + 1 < pattern.size() && pattern[i + 1] == L'"';
        if (c == L'"' && !escaped_quote) {
            quoted = !quoted;
        } else if (c == L'"') {
            parts.back() += c;
            ++i;
        } else if (quoted) {
            if (std::wstring_view{L"|*+?()[]{}.^$\\"}.find(c) != std::wstring_view::npos) parts.back() += L'\\';
            parts.back() += c;
        } else if (c == L'.') {
            parts.emplace_back();
        } else if (c == L'*') {
            parts.back() += L"[\\s\\S]*";
        } else if (c == L'?') {
            parts.back() += L"[\\s\\S]";
        } else if (c == L'$') {
            parts.back() += L"\\$";  // a letter of names, not the end of a line
        } else if (c == L'[' && i + 1 < pattern.size() && pattern[i + 1] == L']') {
            parts.back() += L"\\[\\]";  // as in the name of an array type
            ++i;
        } else {
            parts.back() += fold(c);
        }
    }
    if (quoted) malformed(text, "a double quote is not closed");
    if (std::any_of(parts.begin(), parts.end(), [](const std::wstring& part) { return part.empty(); }))
        malformed(text, "a name in it is empty");
    return parts;
}

std::wstring folded(std::wstring text) {
    std::transform(text.begin(), text.end(), text.begin(), fold);
    return text;
}

/// Folds what stands for itself, but not the letters of an escape such as `\S`.
std::wstring folded_regex(std::wstring regex) {
    for (std::size_t i = 0; i < regex.size(); ++i) {
        if (regex[i] == L'\\')
            ++i;
        else
            regex[i] = fold(regex[i]);
    }
    return regex;
}

}  // namespace

/// For SQLite pattern and name are both folded to lower case.
struct TablePattern::Matcher {
    std::wregex exact;
    std::wregex folded;

    static std::shared_ptr<const Matcher> compile(const std::wstring& regex, const std::string& text) {
        const auto flags = std::regex::ECMAScript | std::regex::optimize;
        // The group makes `a|b` two whole names.
        const std::wstring whole = L"^(" + regex + L")$";
        try {
            return std::make_shared<const Matcher>(Matcher{std::wregex{whole, flags}, std::wregex{folded_regex(whole), flags}});
        } catch (const std::regex_error& error) {
            malformed(text,
                      fmt::format("as a regular expression it says \"{}\"; put the name in double quotes to take every character as it is",
                                  error.what()));
        }
    }

    [[nodiscard]] bool matches(Engine engine, const std::string& name) const {
        if (name.size() > kLongestMatchedName)
            throw RefusedError{fmt::format("a table's name has {} bytes: too long to be compared with a pattern", name.size())};
        const std::wstring wide = widen(name);
        return engine == Engine::sqlite ? std::regex_match(rowferry::folded(wide), folded) : std::regex_match(wide, exact);
    }
};

TablePattern::TablePattern(std::string text, bool schema_only) : text_{std::move(text)} {
    const std::vector<std::wstring> parts = translate(text_);
    if (schema_only) {
        if (parts.size() > 1) malformed(text_, "a schema has one name; a dot that belongs to it has to be in double quotes");
        schema_ = Matcher::compile(parts[0], text_);
        return;
    }
    if (parts.size() > 2) malformed(text_, "expected [schema.]table; a dot that belongs to a name has to be in double quotes");
    if (parts.size() == 2) schema_ = Matcher::compile(parts[0], text_);
    name_ = Matcher::compile(parts.back(), text_);
}

bool TablePattern::matches(Engine engine, const TableName& table) const {
    return (!schema_ || schema_->matches(engine, table.schema)) && (!name_ || name_->matches(engine, table.name));
}

bool TableSelection::selects(Engine engine, const TableName& table) const {
    const auto matches = [&](const TablePattern& pattern) { return pattern.matches(engine, table); };
    if (std::any_of(excluded.begin(), excluded.end(), matches)) return false;
    if (!tables.empty()) return std::any_of(tables.begin(), tables.end(), matches);
    return schemas.empty() || std::any_of(schemas.begin(), schemas.end(), matches);
}

std::vector<std::string> TableSelection::unmatched(Engine engine, const std::vector<TableName>& all) const {
    std::vector<std::string> result;
    for (const TablePattern& pattern : tables.empty() ? schemas : tables)
        if (std::none_of(all.begin(), all.end(), [&](const TableName& table) { return pattern.matches(engine, table); }))
            result.push_back(pattern.text());
    return result;
}

std::string TableSelection::canonical() const {
    std::string text;
    const auto add = [&](const char* option, const std::vector<TablePattern>& patterns) {
        std::set<std::string> sorted;
        for (const TablePattern& pattern : patterns) sorted.insert(pattern.text());
        for (const std::string& pattern : sorted) text += fmt::format("{}{} {}", text.empty() ? "" : " ", option, quote_literal(pattern));
    };
    add("table", tables);
    add("exclude-table", excluded);
    if (tables.empty()) add("schema", schemas);
    return text.empty() ? "all" : text;
}

/// Behind the patterns the stream's rules may stand, from a line of their own on (see StreamRequest::canonical).
TableSelection TableSelection::parse_canonical(std::string_view text) {
    TableSelection selection;
    const auto unreadable = [&] { throw HaltError{fmt::format("the checkpoint's table patterns [{}] cannot be read", printable(text))}; };
    if (text == "all" || text.starts_with("all\n")) return selection;
    while (!text.empty()) {
        const std::size_t quote = text.find(" '");
        if (quote == std::string_view::npos) unreadable();
        const std::string_view option = text.substr(0, quote);
        std::string pattern;
        std::size_t at = quote + 2;
        for (;; ++at) {
            if (at >= text.size()) unreadable();
            if (text[at] == '\'' && (at + 1 == text.size() || text[++at] != '\'')) break;
            pattern += text[at];
        }
        const bool rules_follow = text[at] == '\n';
        if (option == "table")
            selection.tables.emplace_back(pattern);
        else if (option == "exclude-table")
            selection.excluded.emplace_back(pattern);
        else if (option == "schema")
            selection.schemas.emplace_back(pattern, true);
        else
            unreadable();
        if (rules_follow) break;
        text.remove_prefix(std::min(at + 1, text.size()));
    }
    return selection;
}

}  // namespace rowferry
