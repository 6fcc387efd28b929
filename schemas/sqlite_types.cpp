#include <algorithm>
#include <array>

#include "schemas/conversion.h"

namespace rowferry {
namespace {

std::string upper(std::string_view text) {
    std::string result{text};
    for (char& c : result)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return result;
}

bool has_part(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The words of a declared type in upper case with one space between them, without what stands in parentheses.
std::string type_words(std::string_view declared_type) {
    std::string words;
    int depth = 0;
    for (const char c : upper(declared_type)) {
        if (c == '(') ++depth;
        const bool space = depth > 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '"';
        if (c == ')' && depth > 0) --depth;
        if (!space)
            words += c;
        else if (!words.empty() && words.back() != ' ')
            words += ' ';
    }
    while (!words.empty() && words.back() == ' ') words.pop_back();
    return words;
}

struct NamedClass {
    std::string_view name;
    ValueClass value_class;
};

/// What map_column declares for PostgreSQL's types, so that a follower that becomes a leader still says what its columns mean.
constexpr std::array kOwnNames = {
    NamedClass{"NUMERIC_TEXT", ValueClass::numeric}, NamedClass{"UUID_TEXT", ValueClass::uuid}, NamedClass{"DATE_TEXT", ValueClass::date},
    NamedClass{"TIME_TEXT", ValueClass::time},       NamedClass{"JSON_TEXT", ValueClass::json}, NamedClass{"TIMESTAMP_TEXT", ValueClass::timestamp},
    NamedClass{"TIMESTAMPTZ_TEXT", ValueClass::timestamptz},
    NamedClass{"FLOAT8_BLOB", ValueClass::real},     NamedClass{"FLOAT4_BLOB", ValueClass::real},
};

/// Names that SQLite gives NUMERIC affinity.
constexpr std::array kNumericNames = {
    NamedClass{"NUMERIC", ValueClass::numeric},
    NamedClass{"DECIMAL", ValueClass::numeric},
    NamedClass{"DEC", ValueClass::numeric},
    NamedClass{"NUMBER", ValueClass::numeric},
    NamedClass{"FIXED", ValueClass::numeric},
    NamedClass{"MONEY", ValueClass::numeric},
    NamedClass{"SMALLMONEY", ValueClass::numeric},
    NamedClass{"CURRENCY", ValueClass::numeric},
    NamedClass{"DATE", ValueClass::date},
    NamedClass{"TIME", ValueClass::time},
    NamedClass{"TIME WITHOUT TIME ZONE", ValueClass::time},
    NamedClass{"DATETIME", ValueClass::timestamp},
    NamedClass{"DATETIME2", ValueClass::timestamp},
    NamedClass{"SMALLDATETIME", ValueClass::timestamp},
    NamedClass{"TIMESTAMP", ValueClass::timestamp},
    NamedClass{"TIMESTAMP WITHOUT TIME ZONE", ValueClass::timestamp},
    NamedClass{"TIMESTAMPTZ", ValueClass::timestamptz},
    NamedClass{"TIMESTAMP WITH TIME ZONE", ValueClass::timestamptz},
    NamedClass{"DATETIMEOFFSET", ValueClass::timestamptz},
    NamedClass{"UUID", ValueClass::uuid},
    NamedClass{"GUID", ValueClass::uuid},
    NamedClass{"UNIQUEIDENTIFIER", ValueClass::uuid},
    NamedClass{"JSON", ValueClass::json},
    NamedClass{"JSONB", ValueClass::json},
};

template <typename Names>
const NamedClass* find_name(const Names& names, std::string_view name) {
    const auto found = std::find_if(names.begin(), names.end(), [&](const NamedClass& n) { return n.name == name; });
    return found == names.end() ? nullptr : &*found;
}

}  // namespace

Affinity sqlite_affinity(std::string_view declared_type) {
    const std::string type = upper(declared_type);
    if (has_part(type, "INT")) return Affinity::integer;
    if (has_part(type, "CHAR") || has_part(type, "CLOB") || has_part(type, "TEXT")) return Affinity::text;
    if (type.empty() || has_part(type, "BLOB")) return Affinity::blob;
    if (has_part(type, "REAL") || has_part(type, "FLOA") || has_part(type, "DOUB")) return Affinity::real;
    return Affinity::numeric;
}

std::string_view to_string(Affinity affinity) {
    switch (affinity) {
        case Affinity::integer: return "INTEGER";
        case Affinity::text: return "TEXT";
        case Affinity::blob: return "no";
        case Affinity::real: return "REAL";
        case Affinity::numeric: return "NUMERIC";
    }
    return "unknown";
}

bool is_strict_any(const TableSchema& table, std::string_view declared_type) { return table.strict && upper(declared_type) == "ANY"; }

ValueClass sqlite_value_class(std::string_view declared_type) {
    if (declared_type.empty()) return ValueClass::any;
    const std::string words = type_words(declared_type);
    switch (sqlite_affinity(declared_type)) {
        case Affinity::integer: return ValueClass::integer;
        case Affinity::real: return ValueClass::real;
        case Affinity::blob:
        case Affinity::text: {
            if (const NamedClass* own = find_name(kOwnNames, words)) return own->value_class;
            return sqlite_affinity(declared_type) == Affinity::text ? ValueClass::text : ValueClass::bytes;
        }
        case Affinity::numeric: break;
    }
    if (has_part(words, "BOOL")) return ValueClass::boolean;
    const NamedClass* known = find_name(kNumericNames, words);
    // A word SQLite does not know (STRING, ANY, INET) says nothing about the values.
    return known != nullptr ? known->value_class : ValueClass::any;
}

}  // namespace rowferry
