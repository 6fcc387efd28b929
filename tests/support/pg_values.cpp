#include "tests/support/pg_values.h"

#include <fmt/format.h>

#include "tests/support/pg_base_values.h"

namespace rowferry::test {
namespace {

/// As an element of an array, a composite or a range: always in quotes.
std::string element(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + "\"";
}

std::uint32_t oid(const std::optional<std::string>& text) { return static_cast<std::uint32_t>(std::stoul(text.value_or("0"))); }

}  // namespace

PgValues::PgValues(PgConnection& connection) {
    for (const PgRow& row : connection.query(
             "SELECT t.oid, t.typname, t.typtype, coalesce(nullif(t.typbasetype, 0), r.rngsubtype, m.rngtypid, 0), t.typtypmod, "
             "CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typdelim FROM pg_type t LEFT JOIN pg_range r ON r.rngtypid = t.oid "
             "LEFT JOIN pg_range m ON m.rngmultitypid = t.oid"))
        types_[oid(row[0])] = {.name = row[1].value(), .kind = row[2].value()[0], .base = oid(row[3]), .modifier = std::stoi(row[4].value()),
                               .element = oid(row[5]), .delimiter = row[6].value()[0], .labels = {}, .attributes = {}};
    for (const PgRow& row : connection.query("SELECT enumtypid, enumlabel FROM pg_enum ORDER BY enumtypid, enumsortorder"))
        types_[oid(row[0])].labels.push_back(row[1].value());
    for (const PgRow& row : connection.query("SELECT c.reltype, a.atttypid, a.atttypmod FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                                             "WHERE c.relkind = 'c' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.oid, a.attnum"))
        types_[oid(row[0])].attributes.emplace_back(oid(row[1]), std::stoi(row[2].value()));
}

bool PgValues::knows(std::uint32_t type) const {
    const auto found = types_.find(type);
    if (found == types_.end()) return false;
    if (found->second.element != 0) return knows(found->second.element);
    if (found->second.kind != 'b') return found->second.base == 0 || knows(found->second.base);
    Random random{1};
    return pg_base_value(found->second.name, -1, random).has_value();
}

std::string PgValues::text(std::uint32_t type_oid, int modifier, Random& random, int depth) const {
    const Type& type = types_.at(type_oid);
    switch (type.kind) {
        case 'd': return text(type.base, type.modifier, random, depth);
        case 'e': return type.labels.empty() ? "" : random.pick(type.labels);
        case 'r': return range(type, random, depth);
        case 'm': {
            if (random.chance(30)) return "{}";
            const std::string inner = range(types_.at(type.base), random, depth + 1);
            return "{" + (inner == "empty" ? "" : inner) + "}";
        }
        case 'c': {
            std::string fields;
            for (std::size_t i = 0; i < type.attributes.size(); ++i) {
                if (i > 0) fields += ',';
                const auto& [attribute, attribute_modifier] = type.attributes[i];
                if (!random.chance(20)) fields += element(text(attribute, attribute_modifier, random, depth + 1));
            }
            return "(" + fields + ")";
        }
        default: break;
    }
    if (type.element != 0) return array(type, modifier, random, depth);
    return pg_base_value(type.name, modifier, random).value_or("");
}

std::string PgValues::array(const Type& type, int modifier, Random& random, int depth) const {
    if (random.chance(12)) return "{}";
    const auto item = [&] { return random.chance(15) ? std::string{"NULL"} : element(text(type.element, modifier, random, depth + 1)); };
    const auto row = [&](int count) {
        std::string items;
        for (int i = 0; i < count; ++i) items += (i == 0 ? "" : std::string(1, type.delimiter)) + item();
        return "{" + items + "}";
    };
    const int count = 1 + random.below(depth == 0 ? 4 : 2);
    if (random.chance(20)) return fmt::format("{{{}{}{}}}", row(count), type.delimiter, row(count));
    if (random.chance(15)) return fmt::format("[{}:{}]={}", -3, count - 4, row(count));
    return row(count);
}

std::string PgValues::range(const Type& type, Random& random, int depth) const {
    if (random.chance(10)) return "empty";
    if (random.chance(8)) return "(,)";
    const std::string& sub = types_.at(type.base).name;
    std::string low = text(type.base, -1, random, depth + 1);
    std::string high = low;
    if (sub.starts_with("int") || sub == "numeric" || sub.starts_with("float")) {
        const int start = random.below(1000) - 500;
        low = std::to_string(start);
        high = std::to_string(start + random.below(50));
    } else if (sub == "date" || sub.starts_with("timestamp")) {
        low = fmt::format("20{:02}-02-03", random.below(40));
        high = fmt::format("20{:02}-05-06", 40 + random.below(40));
    }
    if (random.chance(15)) low.clear();
    else if (random.chance(15)) high.clear();
    return fmt::format("{}{},{}{}", random.chance(60) || low == high ? '[' : '(', low.empty() ? "" : element(low), high.empty() ? "" : element(high),
                       low == high || random.chance(40) ? ']' : ')');
}

}  // namespace rowferry::test
