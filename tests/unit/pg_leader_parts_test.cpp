#include <gtest/gtest.h>

#include "decoder/pgoutput/copy_text.h"
#include "decoder/pgoutput/pg_history.h"
#include "decoder/pgoutput/pg_names.h"
#include "schemas/error.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {

TableSchema two_columns() {
    TableSchema table;
    table.name = {"public", "t"};
    table.columns.resize(2);
    table.columns[0].name = "a";
    table.columns[1].name = "b";
    return table;
}

std::vector<std::string> decoded(std::string_view row) {
    Arena arena;
    const auto cells = arena.array<Cell>(2);
    decode_copy_row(row, two_columns(), arena, cells);
    std::vector<std::string> values;
    for (const Cell& cell : cells) values.push_back(cell.is_null() ? "NULL" : "[" + std::string{cell.bytes()} + "]");
    return values;
}

TEST(CopyText, PlainFields) { EXPECT_EQ(decoded("1\tann\n"), (std::vector<std::string>{"[1]", "[ann]"})); }
TEST(CopyText, NullIsNotTheEmptyString) { EXPECT_EQ(decoded("\\N\t\n"), (std::vector<std::string>{"NULL", "[]"})); }
TEST(CopyText, TheTextBackslashNIsNotNull) { EXPECT_EQ(decoded("\\\\N\tx\n"), (std::vector<std::string>{"[\\N]", "[x]"})); }
TEST(CopyText, EveryEscape) {
    EXPECT_EQ(decoded("\\b\\f\\n\\r\\t\\v\\\\\tx\n"), (std::vector<std::string>{"[\b\f\n\r\t\v\\]", "[x]"}));
}
TEST(CopyText, ValuesEndWithANulForLibpq) {
    Arena arena;
    const auto cells = arena.array<Cell>(2);
    decode_copy_row("a\\tb\tc\n", two_columns(), arena, cells);
    EXPECT_STREQ(cells[0].bytes().data(), "a\tb");
    EXPECT_STREQ(cells[1].bytes().data(), "c");
}
TEST(CopyText, AnythingElseIsAnError) {
    for (const char* row : {"1\n", "1\t2\t3\n", "\\x\t1\n", "a\\\t1\n", "\xFF\t1\n", "\\."})
        EXPECT_THROW(static_cast<void>(decoded(row)), DecodeError) << row;
}

TEST(TimelineHistory, TellsWhereATimelineEnded) {
    const char* history = "1\t0/3000148\tno recovery target specified\n\n2\t1/A0\treason with\ttabs\n";
    EXPECT_EQ(timeline_end(history, 1), 0x3000148U);
    EXPECT_EQ(timeline_end(history, 2), 0x1000000A0U);
    EXPECT_EQ(timeline_end(history, 3), std::nullopt);
    EXPECT_EQ(timeline_end("", 1), std::nullopt);
}

TEST(StandbyNames, FindsOurs) {
    const std::string ours = application_name("default");
    for (const char* setting : {"rowferry_default", "*", "FIRST 1 (a, ROWFERRY_Default)", "ANY 2 (b,rowferry_default , c)", "\"rowferry_default\""})
        EXPECT_TRUE(standby_names_list(setting, ours)) << setting;
    for (const char* setting : {"", "rowferry_default2", "a, b", "FIRST 1 (rowferry)", "\"rowferry_default \""})
        EXPECT_FALSE(standby_names_list(setting, ours)) << setting;
}

}  // namespace
}  // namespace rowferry
