#include "tests/support/sqlite_values.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

namespace rowferry::test {
namespace {

std::string integer(Random& random) {
    if (random.chance(5)) return "9223372036854775807";
    if (random.chance(5)) return "(-9223372036854775807 - 1)";
    if (random.chance(60)) return std::to_string(random.below(300) - 100);
    return std::to_string(static_cast<std::int64_t>(random.bits() >> 1) * (random.chance(50) ? 1 : -1));
}

/// Never a whole number: INTEGER and NUMERIC affinity would make an integer of it.
std::string fraction(Random& random) { return fmt::format("{}.{}", random.below(100000) - 50000, 1 + 2 * random.below(500)); }

std::string real(Random& random) {
    if (random.chance(12)) {
        static const char* const special[] = {"9e999", "-9e999", "4.9e-324", "1.7976931348623157e308", "0.1", "1e22"};
        return random.pick(special);
    }
    const double value = std::bit_cast<double>(random.bits());
    if (random.chance(50) && std::isfinite(value) && std::abs(value) < 1e300 && std::abs(value) > 1e-300) return fmt::format("{:.17e}", value);
    return fraction(random);
}

std::string date(Random& random) { return fmt::format("{:04}-{:02}-{:02}", 1 + random.below(2500), 1 + random.below(12), 1 + random.below(28)); }

std::string time(Random& random) {
    std::string text = fmt::format("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60));
    if (random.chance(40)) text += fmt::format(".{}{}", random.below(1000), 1 + random.below(9));
    return text;
}

std::string uuid(Random& random) {
    const std::uint64_t a = random.bits();
    const std::uint64_t b = random.bits();
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffffffffffff);
}

std::string blob(Random& random, bool short_one) {
    std::string digits;
    const int count = !short_one && random.chance(3) ? 5000 : random.below(20);
    for (int i = 0; i < count; ++i) digits += fmt::format("{:02x}", random.below(256));
    return "x'" + digits + "'";
}

std::string text(Random& random, bool numbers_stay, bool short_one) {
    std::string value = random_text(random);
    if (!numbers_stay) value = "x" + value;
    if (!short_one && random.chance(3))
        for (int i = 0; i < 400; ++i) value += fmt::format("{:016x}", random.bits());
    return sql_text(value);
}

std::string json(Random& random) {
    static const char* const values[] = {R"({"a": 1,  "a": 2})", "[null, 1.50, true]", R"({"ü": "\u00fc"})", R"("text")", "[]"};
    return sql_text(random.pick(values));
}

std::string raw_text(Random& random) {
    static const char* const values[] = {"610062", "ff41", "eda080", "c3", "00", "f09fa68a00"};
    return fmt::format("CAST(x'{}' AS TEXT)", random.pick(values));
}

/// Values that keep their class whatever the affinity is.
std::string any(Random& random, bool raw, bool short_one) {
    switch (random.below(raw ? 7 : 5)) {
        case 0: return integer(random);
        case 1: return fraction(random);
        case 2: return text(random, false, short_one);
        case 3: return blob(random, short_one);
        case 4: return sql_text(date(random));
        default: return raw_text(random);
    }
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

SqliteAffinity affinity_of(const std::string& declared) {
    std::string type = declared;
    for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (contains(type, "INT")) return SqliteAffinity::integer;
    if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT")) return SqliteAffinity::text;
    if (type.empty() || contains(type, "BLOB")) return SqliteAffinity::none;
    if (contains(type, "REAL") || contains(type, "FLOA") || contains(type, "DOUB")) return SqliteAffinity::real;
    return SqliteAffinity::numeric;
}

std::vector<SqliteStyle> styles_for(SqliteAffinity affinity) {
    using enum SqliteStyle;
    switch (affinity) {
        case SqliteAffinity::integer: return {integers, zero_one, numbers, texts, dates, timestamps, uuids, blobs, mixed, raw};
        case SqliteAffinity::real: return {reals, texts, dates, blobs};
        case SqliteAffinity::text: return {texts, dates, times, timestamps, zoned, iso_times, uuids, json, number_texts, blobs};
        case SqliteAffinity::numeric:
            return {integers, zero_one, numbers, texts, dates, times, timestamps, zoned, iso_times, uuids, json, blobs, mixed, raw};
        default:
            return {integers, zero_one, reals, numbers, texts, dates, times, timestamps, zoned, iso_times, uuids, json, number_texts, blobs, mixed, raw};
    }
}

std::string sqlite_value(SqliteStyle style, SqliteAffinity affinity, Random& random, bool short_ones) {
    const bool numbers_stay = affinity == SqliteAffinity::none || affinity == SqliteAffinity::text;
    switch (style) {
        case SqliteStyle::integers: return integer(random);
        case SqliteStyle::zero_one: return std::to_string(random.below(2));
        case SqliteStyle::reals: return real(random);
        case SqliteStyle::numbers: return random.chance(50) ? integer(random) : fraction(random);
        case SqliteStyle::texts: return text(random, numbers_stay, short_ones);
        case SqliteStyle::dates: return sql_text(date(random));
        case SqliteStyle::times: return sql_text(time(random));
        case SqliteStyle::timestamps: return sql_text(date(random) + " " + time(random));
        case SqliteStyle::zoned: return sql_text(date(random) + " " + time(random) + "+00");
        case SqliteStyle::iso_times: return sql_text(date(random) + "T" + time(random).substr(0, random.chance(50) ? 5 : 8) + (random.chance(50) ? "Z" : ""));
        case SqliteStyle::uuids: return sql_text(uuid(random));
        case SqliteStyle::json: return json(random);
        case SqliteStyle::number_texts: return sql_text(fmt::format("{}.{:02}", random.below(100000) - 50000, random.below(100)));
        case SqliteStyle::blobs: return blob(random, short_ones);
        case SqliteStyle::mixed: return any(random, false, short_ones);
        default: return any(random, true, short_ones);
    }
}

std::vector<std::string> witnesses(SqliteStyle style) {
    switch (style) {
        case SqliteStyle::integers: return {"17", "-3"};
        case SqliteStyle::zero_one: return {"0", "1"};
        case SqliteStyle::reals: return {"0.5", "-7.25"};
        case SqliteStyle::numbers: return {"17", "0.5"};
        case SqliteStyle::texts: return {"'a text'", "'another''s'"};
        case SqliteStyle::dates: return {"'2024-02-29'", "'1999-12-31'"};
        case SqliteStyle::times: return {"'12:34:56'", "'00:00:01.5'"};
        case SqliteStyle::timestamps: return {"'2024-02-29 12:34:56'", "'1999-12-31 23:59:59.25'"};
        case SqliteStyle::zoned: return {"'2024-02-29 12:34:56+00'", "'1999-12-31 23:59:59.25+00'"};
        case SqliteStyle::iso_times: return {"'2024-02-29T12:34Z'", "'1999-12-31T23:59:59'"};
        case SqliteStyle::uuids: return {"'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"};
        case SqliteStyle::json: return {R"('{"a": 1}')", "'[1]'"};
        case SqliteStyle::number_texts: return {"'1.50'", "'-2.00'"};
        case SqliteStyle::blobs: return {"x'00ff'", "x''"};
        case SqliteStyle::mixed: return {"17", "0.5", "'a text'", "x'00ff'"};
        default: return {"17", "0.5", "'a text'", "x'00ff'", "CAST(x'610062' AS TEXT)", "CAST(x'ff41' AS TEXT)"};
    }
}

}  // namespace rowferry::test
