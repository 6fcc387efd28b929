#include "schemas/selection.h"

#include <string>

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

struct Case {
    const char* pattern;
    TableName table;
    bool postgresql;
    bool sqlite;
};

TEST(TablePattern, MatchesAsPgDumpDoes) {
    const Case cases[] = {
        {"users", {"public", "users"}, true, true},
        {"users", {"sales", "users"}, true, true},
        {"users", {"public", "users2"}, false, false},
        {"users", {"public", "my_users"}, false, false},
        // Folding: letters outside quotes are lower case, on SQLite nobody's case matters.
        {"Users", {"public", "users"}, true, true},
        {"USERS", {"public", "Users"}, false, true},
        {"\"Users\"", {"public", "Users"}, true, true},
        {"\"Users\"", {"public", "users"}, false, true},
        {"FOO\"BAR\"baz", {"public", "fooBARbaz"}, true, true},
        {"ÄB", {"public", "Äb"}, true, true},
        {"äb", {"public", "Äb"}, false, false},
        // Schema and name.
        {"sales.orders", {"sales", "orders"}, true, true},
        {"sales.orders", {"public", "orders"}, false, false},
        {"sales.orders", {"public", "sales.orders"}, false, false},
        {"\"sales.orders\"", {"public", "sales.orders"}, true, true},
        {"\"a.b\".\"c.d\"", {"a.b", "c.d"}, true, true},
        {"s*.o*", {"sales", "orders"}, true, true},
        {"s*.o*", {"public", "orders"}, false, false},
        {"*.*", {"any", "thing"}, true, true},
        // Wildcards.
        {"*", {"public", "x"}, true, true},
        {"u*s", {"public", "us"}, true, true},
        {"u*s", {"public", "users"}, true, true},
        {"u*s", {"public", "users_"}, false, false},
        {"user?", {"public", "users"}, true, true},
        {"user?", {"public", "user"}, false, false},
        {"user?", {"public", "userss"}, false, false},
        {"user?", {"public", "userü"}, true, true},
        {"*", {"public", "line\nbreak"}, true, true},
        {"a?b", {"public", "a\nb"}, true, true},
        {"\"u*\"", {"public", "users"}, false, false},
        {"\"u*\"", {"public", "u*"}, true, true},
        {"\"user?\"", {"public", "user?"}, true, true},
        // Regular expressions.
        {"log_[0-9][0-9]", {"public", "log_07"}, true, true},
        {"log_[0-9][0-9]", {"public", "log_7"}, false, false},
        {"log_[0-9]+", {"public", "log_2024"}, true, true},
        {"a|b", {"public", "a"}, true, true},
        {"a|b", {"public", "b"}, true, true},
        {"a|b", {"public", "ab"}, false, false},
        {"a|b", {"public", "ax"}, false, false},
        {"(a|b)_*", {"public", "b_1"}, true, true},
        {"x{3}", {"public", "xxx"}, true, true},
        {"[é-ü]", {"public", "ê"}, true, true},
        {"[^a]b", {"public", "ab"}, false, false},
        {"[^a]b", {"public", "cb"}, true, true},
        {"\"a|b\"", {"public", "a|b"}, true, true},
        {"\"[x]\"", {"public", "[x]"}, true, true},
        {"\"(a)+{1}^\\\"", {"public", "(a)+{1}^\\"}, true, true},
        // A dollar is a letter; [] is an array's name.
        {"cash$", {"public", "cash$"}, true, true},
        {"cash$", {"public", "cash"}, false, false},
        {"$$", {"public", "$$"}, true, true},
        {"\"cash$\"", {"public", "cash$"}, true, true},
        {"a[]", {"public", "a[]"}, true, true},
        // Quotes.
        {"\"a\"\"b\"", {"public", "a\"b"}, true, true},
        {"\"\"\"\"", {"public", "\""}, true, true},
        {"a\" b\"c", {"public", "a bc"}, true, true},
        {"\"Order Details\"", {"main", "Order Details"}, true, true},
        {"order details", {"main", "Order Details"}, false, true},
        {"main.t", {"main", "T"}, false, true},
        {"MAIN.T", {"main", "t"}, true, true},
        // Bytes that are no characters match themselves and wildcards.
        {"a\xFF", {"main", "a\xFF"}, true, true},
        {"a\xFF", {"main", "a\xFE"}, false, false},
        {"a?", {"main", "a\xFF"}, true, true},
    };
    for (const Case& c : cases) {
        const TablePattern pattern{c.pattern};
        EXPECT_EQ(pattern.matches(Engine::postgresql, c.table), c.postgresql) << c.pattern << " on PostgreSQL, " << c.table.name;
        EXPECT_EQ(pattern.matches(Engine::sqlite, c.table), c.sqlite) << c.pattern << " on SQLite, " << c.table.name;
    }
}

TEST(TablePattern, SchemaPatternsLookAtTheSchemaOnly) {
    const TablePattern pattern{"s*", true};
    EXPECT_TRUE(pattern.matches(Engine::postgresql, {"sales", "x"}));
    EXPECT_FALSE(pattern.matches(Engine::postgresql, {"public", "sales"}));
    EXPECT_TRUE((TablePattern{"\"a.b\"", true}.matches(Engine::postgresql, {"a.b", "x"})));
}

TEST(TablePattern, MalformedPatternsAreUsageErrors) {
    for (const char* text : {"", "\"", "\"a", "a\"b", ".", "a.", ".a", "a.b.c", "[", "[0-9", "(", "a)", "+", "x{", "a\\", "\"\""})
        EXPECT_THROW(TablePattern{text}, UsageError) << text;
    EXPECT_THROW((TablePattern{"a.b", true}), UsageError);
    EXPECT_THROW((TablePattern{"", true}), UsageError);
}

TEST(TablePattern, AVeryLongNameIsRefusedNotACrash) {
    const TableName table{"main", std::string(1'000'000, 'x')};
    EXPECT_THROW(static_cast<void>(TablePattern{"*y"}.matches(Engine::sqlite, table)), RefusedError);
    EXPECT_TRUE(TablePattern{"x*"}.matches(Engine::sqlite, {"main", std::string(2000, 'x')}));
}

TEST(TablePattern, CopiesWork) {
    const TablePattern pattern{"U*"};
    const TablePattern copy = pattern;
    EXPECT_EQ(copy.text(), "U*");
    EXPECT_TRUE(copy.matches(Engine::postgresql, {"public", "users"}));
}

TableSelection selection(std::vector<std::string> tables, std::vector<std::string> excluded = {}, std::vector<std::string> schemas = {}) {
    TableSelection result;
    for (const std::string& text : tables) result.tables.emplace_back(text);
    for (const std::string& text : excluded) result.excluded.emplace_back(text);
    for (const std::string& text : schemas) result.schemas.emplace_back(text, true);
    return result;
}

TEST(TableSelection, SelectsAsPgDumpDoes) {
    const auto selects = [](const TableSelection& s, const char* schema, const char* name) {
        return s.selects(Engine::postgresql, {schema, name});
    };
    EXPECT_TRUE(selects(selection({}), "any", "thing"));
    EXPECT_TRUE(selects(selection({"a", "b"}), "public", "b"));
    EXPECT_FALSE(selects(selection({"a", "b"}), "public", "c"));
    EXPECT_FALSE(selects(selection({"*"}, {"c"}), "public", "c"));
    EXPECT_FALSE(selects(selection({"c"}, {"c"}), "public", "c"));
    EXPECT_FALSE(selects(selection({}, {"c"}), "public", "c"));
    EXPECT_TRUE(selects(selection({}, {"c"}), "public", "d"));
    EXPECT_TRUE(selects(selection({}, {}, {"sales"}), "sales", "x"));
    EXPECT_FALSE(selects(selection({}, {}, {"sales"}), "public", "x"));
    EXPECT_FALSE(selects(selection({}, {"x"}, {"sales"}), "sales", "x"));
    // With any --table, --schema has no effect.
    EXPECT_TRUE(selects(selection({"a"}, {}, {"sales"}), "public", "a"));
    EXPECT_FALSE(selects(selection({"a"}, {}, {"sales"}), "sales", "b"));
}

TEST(TableSelection, NamesPatternsThatMatchNothing) {
    const std::vector<TableName> all = {{"public", "users"}, {"sales", "orders"}};
    using Texts = std::vector<std::string>;
    EXPECT_EQ(selection({"user", "orders", "nope.*"}).unmatched(Engine::postgresql, all), (Texts{"user", "nope.*"}));
    EXPECT_EQ(selection({}, {"zzz"}, {"sales", "stock"}).unmatched(Engine::postgresql, all), (Texts{"stock"}));
    EXPECT_EQ(selection({"users"}, {}, {"stock"}).unmatched(Engine::postgresql, all), Texts{});
    EXPECT_EQ(selection({}).unmatched(Engine::postgresql, all), Texts{});
    EXPECT_EQ(selection({"USERS"}).unmatched(Engine::sqlite, {{"main", "Users"}}), Texts{});
}

TEST(TableSelection, CanonicalTextTellsSelectionsApart) {
    EXPECT_EQ(selection({}).canonical(), "all");
    EXPECT_EQ(selection({"b", "a", "b"}, {"c"}).canonical(), "table 'a' table 'b' exclude-table 'c'");
    EXPECT_EQ(selection({"a", "b"}).canonical(), selection({"b", "a"}).canonical());
    EXPECT_EQ(selection({"a"}, {}, {"s"}).canonical(), selection({"a"}).canonical());
    EXPECT_NE(selection({"a' table 'b"}).canonical(), selection({"a", "b"}).canonical());
    EXPECT_NE(selection({}, {"a"}).canonical(), selection({"a"}).canonical());
    EXPECT_NE(selection({}, {}, {"a"}).canonical(), selection({"a"}).canonical());
}

TEST(TableSelection, ACheckpointsCanonicalTextIsReadAgain) {
    for (const TableSelection& wanted : {selection({}), selection({"b", "a"}, {"c"}), selection({"a' table 'b"}, {"it''s"}), selection({}, {}, {"s"})})
        EXPECT_EQ(TableSelection::parse_canonical(wanted.canonical()).canonical(), wanted.canonical());
    // Behind it the stream's rules may stand.
    EXPECT_EQ(TableSelection::parse_canonical("all\ntable orders filter a = 'b'").canonical(), "all");
    EXPECT_EQ(TableSelection::parse_canonical("table 'a\nb' table 'c'\ntable orders filter a = 'b'").canonical(), "table 'a\nb' table 'c'");
    for (const char* text : {"table", "table 'a", "view 'a'"})
        EXPECT_THROW(static_cast<void>(TableSelection::parse_canonical(text)), HaltError) << text;
}

}  // namespace
}  // namespace rowferry
