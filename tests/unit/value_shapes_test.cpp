#include "schemas/value_shapes.h"

#include <random>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace rowferry {
namespace {

using namespace std::string_literals;
using Shape = bool (*)(std::string_view) noexcept;

void expect_shapes(Shape shape, std::initializer_list<std::string> yes, std::initializer_list<std::string> no) {
    for (const std::string& text : yes) EXPECT_TRUE(shape(text)) << text;
    for (const std::string& text : no) EXPECT_FALSE(shape(text)) << text;
    EXPECT_FALSE(shape(""));
    for (const std::string& text : yes) {
        EXPECT_FALSE(shape(" " + text)) << text;
        EXPECT_FALSE(shape(text + " ")) << text;
        EXPECT_FALSE(shape(text + "\0"s)) << text;
    }
}

TEST(ValueShapes, Date) {
    expect_shapes(is_date, {"0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29", "1999-04-30", "infinity", "-infinity", "10000-01-01", "5874897-12-31",
                   "4714-11-24 BC", "0044-03-15 BC", "0001-02-29 BC", "0005-02-29 BC"},
                  {"0000-01-01", "010000-01-01", "5874898-01-01", "4714-11-23 BC", "0004-02-29 BC", "0044-03-15BC", "44-03-15 BC", "0000-01-01 BC",
                   "0044-03-15 AD", "2024-01-01+00", "99999999-01-01", "2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-13-01", "2024-00-01",
                   "2024-01-00", "2024-1-1", "24-01-01", "2024/01/01", "20240101", "2024-01-01 00:00:00", "Infinity",
                   "2024-01-0x", "today", "+024-01-01"});
}

TEST(ValueShapes, Time) {
    expect_shapes(is_time, {"00:00:00", "23:59:59", "23:59:59.999999", "00:00:00.1", "12:30:00.000001", "24:00:00"},
                  {"24:00:01", "24:00:00.1", "23:59:60", "23:60:00", "25:00:00", "12:30", "1:00:00", "00:00:00.10", "00:00:00.0",
                   "00:00:00.", "00:00:00.1234567", "00:00:00,1", "12:30:00+00", "12:30:00 PM", "infinity"});
}

TEST(ValueShapes, Timestamp) {
    expect_shapes(
        is_timestamp,
        {"2024-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2024-02-29 12:00:00.5", "infinity", "-infinity",
         "294276-12-31 23:59:59.999999", "4714-11-24 00:00:00 BC", "0044-03-15 12:30:00.5 BC"},
        {"2024-01-01T00:00:00", "2024-01-01 00:00", "2024-01-01", "2024-01-01 24:00:00", "2024-01-01 00:00:60", "2024-01-01 00:00:00.10",
         "2024-01-01 00:00:00.000", "2024-01-01  00:00:00", "2024-01-01 00:00:00+00", "2024-01-01 00:00:00Z", "2023-02-29 00:00:00",
         "294277-01-01 00:00:00", "4714-11-23 23:59:59 BC", "0044-03-15 BC", "0044-03-15 BC 12:00:00", "now"});
}

TEST(ValueShapes, ZonedTimestamp) {
    expect_shapes(is_zoned_timestamp, {"2024-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity",
                  "294276-12-31 23:59:59.999999+00", "4714-11-24 00:00:00+00 BC"},
                  {"2024-01-01 00:00:00", "2024-01-01 00:00:00Z", "2024-01-01 00:00:00+00:00", "2024-01-01 00:00:00+01",
                   "2024-01-01 00:00:00-00", "2024-01-01T00:00:00+00", "2024-01-01 00:00:00.10+00", "+00", "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC+00", "2024-01-01 00:00:00+0000"});
}

TEST(ValueShapes, Uuid) {
    expect_shapes(is_uuid, {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"},
                  {"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
                   "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "a0eebc9-99c0b-4ef8-bb6d-6bb9bd380a11"});
}

TEST(ValueShapes, Number) {
    expect_shapes(is_number,
                  {"0", "0.0", "0.50", "1", "-1", "-0.001", "100.00", "12345678901234567890.123456789", "NaN", "Infinity", "-Infinity",
                   std::string(131072, '9'), "0." + std::string(16383, '9')},
                  {"-0",
                   "-0.00",
                   "+1",
                   "01",
                   "00",
                   ".5",
                   "5.",
                   "1e3",
                   "1E3",
                   "1,000",
                   "0x10",
                   "-",
                   "--1",
                   "1.2.3",
                   "inf",
                   "nan",
                   "infinity",
                   "-NaN",
                   "1_000",
                   std::string(131073, '9'),
                   "0." + std::string(16384, '9')});
}

TEST(ValueShapes, FractionDigits) {
    EXPECT_EQ(fraction_digits("12"), 0U);
    EXPECT_EQ(fraction_digits("12.50"), 2U);
    EXPECT_EQ(fraction_digits("2024-01-01 00:00:00.123+00"), 3U);
    EXPECT_EQ(fraction_digits("NaN"), 0U);
}

const std::initializer_list<std::string> kJsonTexts = {"{}",
                                                       "[]",
                                                       "null",
                                                       "true",
                                                       "false",
                                                       "0",
                                                       "-0",
                                                       "1.5e-7",
                                                       "1E+2",
                                                       "\"\"",
                                                       "\"a\\u00e9\\n\\\"\"",
                                                       " { \"a\" : [ 1 , { } , [ ] ] }\r\n",
                                                       "[[[]]]",
                                                       "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"a\":2}",
                                                       "\"ü🚢\"",
                                                       "[1,2]",
                                                       "\"\\ud83d\\udea2\"",
                                                       "\"\x7F\""};
const std::initializer_list<std::string> kNotJson = {"",          " ",
                                                     "{",         "}",
                                                     "[",         "]",
                                                     "[1,]",      "{\"a\"}",
                                                     "{\"a\":}",  "{\"a\":1,}",
                                                     "{a:1}",     "{'a':1}",
                                                     "01",        "1.",
                                                     ".5",        "+1",
                                                     "-",         "1e",
                                                     "1e+",       "nul",
                                                     "NaN",       "Infinity",
                                                     "\"",        "\"\\\"",
                                                     "\"\\x\"",   "\"\\u12g4\"",
                                                     "\"\n\"",    "\"a\tb\"",
                                                     "1 2",       "{} {}",
                                                     "[1 2]",     "{\"a\":1 \"b\":2}",
                                                     "[}",        "{]",
                                                     "truefalse", "\"a\0b\""s,
                                                     "null\0"s,   "\xEF\xBB\xBF{}",
                                                     "\"\xFF\"",  "\"\xED\xA0\x80\"",
                                                     "[1]]",      "{\"a\":1}}",
                                                     ",",         ":",
                                                     "// x",      "\"\\u123",
                                                     "\"\\"};

TEST(ValueShapes, Json) {
    for (const std::string& text : kJsonTexts) EXPECT_TRUE(is_json(text)) << text;
    for (const std::string& text : kNotJson) EXPECT_FALSE(is_json(text)) << text;
}

TEST(ValueShapes, JsonAgreesWithAnotherParserOnDamagedTexts) {
    std::mt19937 random{20240531};  // a fixed seed: the same texts every time
    const std::string bytes = "{}[]\",:0123.eE+- \\untfals\x01\xC3\xA9";
    int accepted = 0;
    for (int round = 0; round < 200'000; ++round) {
        std::string text = kJsonTexts.begin()[random() % kJsonTexts.size()];
        for (auto edits = random() % 4; edits > 0 && !text.empty(); --edits) {
            const auto at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = bytes[random() % bytes.size()]; break;
                case 1: text.erase(at, 1); break;
                default: text.insert(at, 1, bytes[random() % bytes.size()]); break;
            }
        }
        // The other parser refuses what is JSON but not a finite double or a whole surrogate pair.
        if (text.find("\\ud") != std::string::npos || text.find("\\uD") != std::string::npos ||
            text.find_first_of("eE") != std::string::npos)
            continue;
        ASSERT_EQ(is_json(text), nlohmann::json::accept(text)) << text;
        accepted += is_json(text) ? 1 : 0;
    }
    EXPECT_GT(accepted, 1000);
}

TEST(ValueShapes, JsonDepthIsBounded) {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    EXPECT_TRUE(is_json(nested(kMaxJsonDepth)));
    EXPECT_FALSE(is_json(nested(kMaxJsonDepth + 1)));
    EXPECT_FALSE(is_json(std::string(10'000'000, '[')));
    std::string objects;
    for (int i = 0; i < 1000; ++i) objects += "{\"a\":[";
    EXPECT_FALSE(is_json(objects));
    std::string mixed;
    for (int i = 0; i < 500; ++i) mixed += "{\"a\":[";
    std::string closing;
    for (int i = 0; i < 500; ++i) closing += "]}";
    EXPECT_TRUE(is_json(mixed + "1" + closing));
    EXPECT_FALSE(is_json(mixed + "1" + closing.substr(0, closing.size() - 2) + "}]"));
}

TEST(ValueShapes, BadTextIsFoundWhereItIs) {
    const std::string bad[] = {"\0"s,
                               "\x80",
                               "\xFF",
                               "\xC0\x80",
                               "\xC1\xBF",
                               "\xC3",
                               "\xE0\x9F\xBF",
                               "\xE2\x82",
                               "\xED\xA0\x80",
                               "\xED\xBF\xBF",
                               "\xF0\x8F\xBF\xBF",
                               "\xF4\x90\x80\x80",
                               "\xF5\x80\x80\x80",
                               "\xF0\x9F\x9A"};
    // Every alignment to the eight bytes that are looked at together, behind ASCII and behind longer characters.
    for (const std::string& wrong : bad) {
        for (std::size_t before = 0; before < 20; ++before) {
            const std::string ascii(before, 'a');
            EXPECT_EQ(find_bad_text(ascii + wrong), before);
            EXPECT_EQ(find_bad_text(ascii + wrong + "tail of the text"), before);
            EXPECT_EQ(find_bad_text("ü🚢" + ascii + wrong + "tail"), before + 6);
            EXPECT_TRUE(scan_text(ascii + wrong).bad);
            EXPECT_TRUE(scan_text("ü🚢" + ascii + wrong + "tail").bad);
        }
    }
    EXPECT_EQ(find_bad_text(""), std::string_view::npos);
    for (const char* good : {"plain text of many bytes", "\x01\x7F", "é", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                             "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
        EXPECT_EQ(find_bad_text(good), std::string_view::npos) << good;
}

TEST(ValueShapes, CountsCharacters) {
    EXPECT_EQ(count_characters(""), 0U);
    EXPECT_EQ(count_characters("aü🚢"), 3U);
    EXPECT_EQ(scan_text("").characters, 0U);
    for (std::size_t before = 0; before < 20; ++before) {
        const std::string ascii(before, '\x7F');
        for (const std::string tail : {"", "x", "tail of the text"}) {
            EXPECT_EQ(scan_text(ascii + tail).characters, before + tail.size());
            EXPECT_EQ(scan_text(ascii + "ü🚢" + tail).characters, before + 2 + tail.size());
            EXPECT_FALSE(scan_text(ascii + "ü🚢" + tail).bad);
        }
    }
}

TEST(ValueShapes, DigitsAreCountedAtEveryPlaceOfAWord) {
    for (std::size_t digits = 1; digits < 30; ++digits) {
        const std::string number(digits, '9');
        EXPECT_TRUE(is_number(number));
        for (std::size_t at = 0; at < digits; ++at)
            for (const char wrong : {'/', ':', '\0', 'p', '\xB9', '\xFF', '\x7A'}) {
                std::string text = number;
                text[at] = wrong;
                EXPECT_FALSE(is_number(text)) << digits << ' ' << at;
            }
    }
}

}  // namespace
}  // namespace rowferry
