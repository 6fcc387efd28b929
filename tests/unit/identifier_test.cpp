#include "schemas/identifier.h"

#include <string>

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using namespace std::string_literals;

TEST(QuoteIdentifier, KeepsEveryNameOneName) {
    EXPECT_EQ(quote_identifier("users"), "\"users\"");
    EXPECT_EQ(quote_identifier("Order Details"), "\"Order Details\"");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
    EXPECT_EQ(quote_identifier("\""), "\"\"\"\"");
    EXPECT_EQ(quote_identifier("x\"; DROP TABLE y; --"), "\"x\"\"; DROP TABLE y; --\"");
    EXPECT_EQ(quote_identifier(""), "\"\"");
    EXPECT_EQ(quote_identifier("naïve"), "\"naïve\"");
}

TEST(QuoteLiteral, KeepsEveryValueOneValue) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal("a\\b"), "'a\\b'");
    EXPECT_EQ(quote_literal("\"a\""), "'\"a\"'");
    EXPECT_EQ(quote_literal(""), "''");
}

TEST(QuoteTable, QuotesBothParts) { EXPECT_EQ(quote_table({"a.b", "c\"d"}), "\"a.b\".\"c\"\"d\""); }

TEST(Quote, ANulByteIsHalt) {
    EXPECT_THROW(static_cast<void>(quote_identifier("a\0b"s)), HaltError);
    EXPECT_THROW(static_cast<void>(quote_literal("\0"s)), HaltError);
    EXPECT_THROW(static_cast<void>(quote_table({"public", "a\0"s})), HaltError);
}

TEST(Printable, NoTextForgesALogLine) {
    EXPECT_EQ(printable("plain ü"), "plain ü");
    EXPECT_EQ(printable("two\nlines\n"), "two lines");
    EXPECT_EQ(printable("a\rb\tc\x1B[31m\x7F"), "a\\x0Db\\x09c\\x1B[31m\\x7F");
    EXPECT_EQ(printable("a\0b"s), "a\\x00b");
    EXPECT_EQ(printable("abcdef", 3), "abc…");
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("  \n"), "");
}

TEST(FollowerTable, NamesBetweenEngines) {
    EXPECT_EQ(follower_table({"sales", "Orders"}, Engine::postgresql, Engine::postgresql), (TableName{"sales", "Orders"}));
    EXPECT_EQ(follower_table({"main", "orders"}, Engine::sqlite, Engine::postgresql), (TableName{"public", "orders"}));
    EXPECT_EQ(follower_table({"public", "orders"}, Engine::postgresql, Engine::sqlite), (TableName{"main", "orders"}));
    EXPECT_EQ(follower_table({"sales", "orders"}, Engine::postgresql, Engine::sqlite), (TableName{"main", "sales__orders"}));
    EXPECT_EQ(follower_table({"main", "orders"}, Engine::sqlite, Engine::sqlite), (TableName{"main", "orders"}));
}

TEST(FollowerTable, TheRulesOfTheStreamRename) {
    TableSchema table;
    table.name = {"sales", "orders"};
    ForeignKey key;
    key.parent = {"sales", "customers"};
    EXPECT_EQ(follower_table(table, Engine::sqlite), (TableName{"main", "sales__orders"}));
    EXPECT_EQ(follower_parent(table, key, Engine::sqlite), (TableName{"main", "sales__customers"}));
    table.renamed_to = TableName{"main", "eu_orders"};
    key.parent_renamed_to = TableName{"main", "people"};
    EXPECT_EQ(follower_table(table, Engine::sqlite), (TableName{"main", "eu_orders"}));
    EXPECT_EQ(follower_parent(table, key, Engine::sqlite), (TableName{"main", "people"}));
}

}  // namespace
}  // namespace rowferry
