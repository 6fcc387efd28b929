#include "tests/support/pg_base_values.h"

#include <bit>
#include <cmath>
#include <functional>
#include <map>

#include <fmt/format.h>

namespace rowferry::test {
namespace {

std::string integer(Random& random, int bits) {
    const std::int64_t most = static_cast<std::int64_t>((std::uint64_t{1} << (bits - 1)) - 1);
    if (random.chance(6)) return std::to_string(most);
    if (random.chance(6)) return std::to_string(-most - 1);
    if (random.chance(60)) return std::to_string(random.below(200) - 100);
    return std::to_string(static_cast<std::int64_t>(random.bits()) % most);
}

std::string floating(Random& random, bool single) {
    if (random.chance(15)) {
        static const char* const special[] = {"NaN", "Infinity", "-Infinity", "0", "-0", "1", "-1e10", "0.1"};
        return random.pick(special);
    }
    if (single) {
        const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
        return std::isfinite(value) && value != 0 ? fmt::format("{}", value) : "1.4e-45";
    }
    if (random.chance(10)) return random.chance(50) ? "5e-324" : "-1.7976931348623157e308";
    const double value = random.chance(50) ? std::bit_cast<double>(random.bits()) : static_cast<double>(random.below(100000)) / 7;
    return std::isfinite(value) && value != 0 ? fmt::format("{}", value) : "2.5";
}

std::string digits(Random& random, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += static_cast<char>('0' + random.below(10));
    return text;
}

std::string numeric(int modifier, Random& random) {
    if (random.chance(5)) return "NaN";
    const std::string sign = random.chance(30) ? "-" : "";
    if (modifier < 0) {
        if (random.chance(5)) return random.chance(50) ? "Infinity" : "-Infinity";
        if (random.chance(3)) return sign + "1" + digits(random, 500 + random.below(3000)) + "." + digits(random, random.below(2000)) + "00";
        const int scale = random.below(8);
        return sign + std::to_string(random.bits() % (random.chance(50) ? 1000 : ~0ULL)) + (scale == 0 ? "" : "." + digits(random, scale));
    }
    const int precision = ((modifier - 4) >> 16) & 0xffff;
    const int scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
    const int whole = precision - scale;
    if (scale <= 0) return sign + digits(random, random.below(std::max(whole, 1)) + 1);
    if (whole <= 0) return sign + "0." + std::string(static_cast<std::size_t>(-whole), '0') + digits(random, std::min(precision, scale));
    return sign + "0" + digits(random, random.below(whole + 1)) + "." + digits(random, scale);
}

/// At most `characters` of a text; negative: as it is.
std::string cut(std::string text, int characters) {
    if (characters < 0) return text;
    int count = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++count > characters) return text.substr(0, i);
    return text;
}

std::string varying(int modifier, Random& random) { return cut(random_text(random), modifier < 0 ? -1 : modifier - 4); }

std::string long_text(int, Random& random) {
    if (!random.chance(4)) return random_text(random);
    std::string text;  // kept outside the row, so that an update beside it does not send it
    const int words = 200 + random.below(800);
    for (int i = 0; i < words; ++i) text += fmt::format("{:016x}", random.bits());
    return text;
}

std::string bytes(Random& random) {
    std::string text = "\\x";
    const int count = random.chance(3) ? 4000 + random.below(8000) : random.below(24);
    for (int i = 0; i < count; ++i) text += fmt::format("{:02x}", random.below(256));
    return text;
}

std::string bits_of(int count, Random& random) {
    std::string text;
    for (int i = 0; i < count; ++i) text += random.chance(50) ? '1' : '0';
    return text;
}

std::string date(Random& random) {
    if (random.chance(12)) {
        static const char* const special[] = {"infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01", "0001-12-31 BC", "2000-02-29", "9999-12-31", "10000-01-01"};
        return random.pick(special);
    }
    return fmt::format("{:04}-{:02}-{:02}", 1 + random.below(2500), 1 + random.below(12), 1 + random.below(28));
}

std::string clock(int precision, Random& random) {
    if (random.chance(5)) return random.chance(50) ? "24:00:00" : "00:00:00";
    std::string text = fmt::format("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60));
    if (precision < 0) precision = 6;
    if (precision > 0 && random.chance(70)) text += "." + digits(random, 1 + random.below(precision));
    return text;
}

std::string zone(Random& random) {
    static const char* const zones[] = {"+00", "+02", "-03:30", "+05:45", "-11", "+14", "+01:17:30"};
    return random.pick(zones);
}

std::string timestamp(int modifier, Random& random, bool zoned) {
    if (random.chance(12)) {
        static const char* const special[] = {"infinity", "-infinity", "4713-11-24 00:00:00 BC", "294276-12-31 23:59:59", "0044-03-15 12:00:00 BC", "1900-01-01 00:00:00", "1969-12-31 23:59:59", "9999-12-31 23:59:59"};
        return random.pick(special);
    }
    std::string time = clock(modifier, random);
    if (time == "24:00:00") time = "23:59:59";
    return fmt::format("{:04}-{:02}-{:02} {}", 1 + random.below(3000), 1 + random.below(12), 1 + random.below(28), time) +
           (zoned ? zone(random) : "");
}

std::string interval(Random& random) {
    if (random.chance(10)) return random.chance(50) ? "00:00:00" : "178000000 years";
    return fmt::format("{} years {} mons {} days {}{}", random.below(21) - 10, random.below(12), random.below(61) - 30,
                       random.chance(30) ? "-" : "", clock(-1, random));
}

std::string uuid(Random& random) {
    const std::uint64_t a = random.bits();
    const std::uint64_t b = random.bits();
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffffffffffff);
}

std::string json(Random& random, bool binary) {
    static const char* const values[] = {"null", "1", "-0.00", "1.50", "1e400", "\"\"", "\"ü\\n🦊\"", "[]", "{}", "[1, [2, {\"a\": null}]]", "true",
                                         "\"\\ud83e\\udd8a\"", "12345678901234567890123.4500"};
    const std::string value = random.pick(values);
    if (random.chance(40)) return value;
    // Keys twice, and space where json keeps it and jsonb does not.
    return fmt::format("{{\"b\":  {}, \"a\" : {}, \"{}\": [{}]}}", value, random.below(100), binary ? "c" : "a", random.pick(values));
}

std::string xml(Random& random) {
    return fmt::format("<a b=\"{}\">x &amp; {}<c/></a>", random.below(10), random.chance(50) ? "ü" : "]]&gt;");
}

std::string address(Random& random, bool network) {
    if (random.chance(40)) {
        if (network) return random.chance(50) ? "2001:db8::/32" : fmt::format("2001:db8:{:x}::/48", random.below(65536));
        return fmt::format("2001:db8::{:x}{}", random.below(65536), random.chance(50) ? "/64" : "");
    }
    if (network) return fmt::format("10.{}.0.0/16", random.below(256));
    return fmt::format("{}.{}.{}.{}{}", random.below(256), random.below(256), random.below(256), random.below(256), random.chance(30) ? "/24" : "");
}

std::string mac(Random& random, int octets) {
    std::string text;
    for (int i = 0; i < octets; ++i) text += fmt::format("{}{:02x}", i == 0 ? "" : ":", random.below(256));
    return text;
}

std::string number(Random& random) {
    static const char* const odd[] = {"Infinity", "-Infinity", "NaN", "1e-300", "1e300"};
    return random.chance(5) ? random.pick(odd) : fmt::format("{}", (random.below(2000) - 1000) / 8.0);
}
std::string point(Random& random) { return fmt::format("({},{})", number(random), number(random)); }
std::string points(Random& random, char open, char close) {
    std::string text(1, open);
    const int count = 1 + random.below(4);
    for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + point(random);
    return text + close;
}

std::string hstore(Random& random) {
    std::string text;
    const int count = random.below(4);
    for (int i = 0; i < count; ++i)
        text += fmt::format("{}\"k{}\"=>{}", i == 0 ? "" : ", ", random.below(9), random.chance(20) ? "NULL" : R"("v \" \\ ü =>")");
    return text;
}

using Maker = std::function<std::string(int, Random&)>;

const std::map<std::string, Maker>& makers() {
    const auto fixed = [](std::vector<std::string> list) { return [list](int, Random& r) { return r.pick(list); }; };
    static const std::map<std::string, Maker> all{
        {"int2", [](int, Random& r) { return integer(r, 16); }},
        {"int4", [](int, Random& r) { return integer(r, 32); }},
        {"int8", [](int, Random& r) { return integer(r, 64); }},
        {"float4", [](int, Random& r) { return floating(r, true); }},
        {"float8", [](int, Random& r) { return floating(r, false); }},
        {"date", [](int, Random& r) { return date(r); }},
        {"timestamp", [](int m, Random& r) { return timestamp(m, r, false); }},
        {"timestamptz", [](int m, Random& r) { return timestamp(m, r, true); }},
        {"oid", [](int, Random& r) { return std::to_string(static_cast<std::uint32_t>(r.bits())); }},
        {"bool", [](int, Random& r) { return std::string{r.chance(50) ? "t" : "f"}; }},
        {"numeric", numeric},
        {"money", [](int, Random& r) { return r.chance(8) ? std::string{"-92233720368547758.08"} : fmt::format("{}.{:02}", r.below(100000) - 50000, r.below(100)); }},
        {"text", long_text},
        {"citext", long_text},
        {"varchar", varying},
        {"bpchar", varying},
        {"name", [](int, Random& r) { return random_text(r, 5); }},
        {"char", fixed({"a", "Z", " ", "'", "\\", ""})},
        {"bytea", [](int, Random& r) { return bytes(r); }},
        {"time", clock},
        {"timetz", [](int m, Random& r) { return clock(m, r) + zone(r); }},
        {"interval", [](int, Random& r) { return interval(r); }},
        {"uuid", [](int, Random& r) { return uuid(r); }},
        {"json", [](int, Random& r) { return json(r, false); }},
        {"jsonb", [](int, Random& r) { return json(r, true); }},
        {"jsonpath", fixed({"$", "$.a[*]", "strict $.\"b c\" ? (@ > 1)"})},
        {"xml", [](int, Random& r) { return xml(r); }},
        {"inet", [](int, Random& r) { return address(r, false); }},
        {"cidr", [](int, Random& r) { return address(r, true); }},
        {"macaddr", [](int, Random& r) { return mac(r, 6); }},
        {"macaddr8", [](int, Random& r) { return mac(r, 8); }},
        {"bit", [](int m, Random& r) { return bits_of(m < 0 ? 1 : m, r); }},
        {"varbit", [](int m, Random& r) { return bits_of(r.below((m < 0 ? 20 : m) + 1), r); }},
        {"point", [](int, Random& r) { return point(r); }},
        {"line", fixed({"{1,2,3}", "{0,-1,0.5}", "{1,0,-7.25}"})},
        {"lseg", [](int, Random& r) { return "[" + point(r) + "," + point(r) + "]"; }},
        {"box", [](int, Random& r) { return point(r) + "," + point(r); }},
        {"path", [](int, Random& r) { return r.chance(50) ? points(r, '(', ')') : points(r, '[', ']'); }},
        {"polygon", [](int, Random& r) { return points(r, '(', ')'); }},
        {"circle", [](int, Random& r) { return fmt::format("<{},{}>", point(r), r.below(100)); }},
        {"tsvector", fixed({"", "a", "'fat':2 'rat':3A,5", "'it''s' 'x\\\\y'"})},
        {"tsquery", fixed({"", "'a'", "'fat' & ( 'rat' | !'cat' )", "'a' <-> 'b':*A"})},
        {"pg_lsn", [](int, Random& r) { return fmt::format("{:X}/{:X}", r.below(65536), r.below(1 << 30)); }},
        {"pg_snapshot", fixed({"10:20:10,14,15", "1:1:"})},
        {"txid_snapshot", fixed({"10:20:10,14,15", "1:1:"})},
        {"xid", fixed({"3", "4294967295"})},
        {"xid8", fixed({"3", "18446744073709551615"})},
        {"cid", fixed({"0", "4294967295"})},
        {"tid", fixed({"(0,1)", "(4294967295,65535)"})},
        {"int2vector", fixed({"", "1 2 3", "-7"})},
        {"oidvector", fixed({"", "1 2 3"})},
        {"regclass", fixed({"pg_class", "pg_type"})},
        {"regtype", fixed({"integer", "text"})},
        {"hstore", [](int, Random& r) { return hstore(r); }},
        {"ltree", fixed({"", "Top", "Top.Science.Astronomy"})},
        {"lquery", fixed({"Top.*", "*.a|b.*{1,2}"})},
        {"ltxtquery", fixed({"a & b", "Science & !Pictures@"})},
        {"isbn", fixed({"0-393-04002-X", "1-4493-5907-X"})},
        {"isbn13", fixed({"978-0-393-04002-9"})},
        {"cube", fixed({"(1, 2, 3)", "(0),(1)"})},
    };
    return all;
}

}  // namespace

std::optional<std::string> pg_base_value(const std::string& type, int modifier, Random& random) {
    const auto found = makers().find(type);
    if (found == makers().end()) return std::nullopt;
    return found->second(modifier, random);
}

}  // namespace rowferry::test
