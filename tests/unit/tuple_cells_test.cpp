#include "decoder/pgoutput/tuple_cells.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schemas/error.h"
#include "tests/unit/pgoutput_bytes.h"

namespace rowferry::pgoutput {
namespace {

using test::binary;
using test::Bytes;
using test::HeapBytes;
using test::null;
using test::text;
using test::unchanged;

TableSchema person(ColumnIndexes identity = {0, 2}) {
    TableSchema table;
    table.name = {"public", "person"};
    for (const char* name : {"id", "name", "region"}) {
        ColumnSchema column;
        column.name = name;
        column.type = "text";
        table.columns.push_back(column);
    }
    table.identity = std::move(identity);
    return table;
}

/// Cells in a short notation; the bytes they came from are gone when this returns its cells.
std::string cells_of(std::initializer_list<Bytes> columns, TupleRole role, const TableSchema& table) {
    Arena arena;
    std::span<const Cell> cells;
    {
        const HeapBytes message{Bytes{}.tuple(columns)};
        ByteReader in{message.span()};
        cells = tuple_cells(TupleView::read(in), role, table, arena);
    }
    std::string out;
    for (const Cell& cell : cells) {
        switch (cell.kind()) {
            case CellKind::absent: out += "absent "; break;
            case CellKind::unchanged: out += "unchanged "; break;
            case CellKind::null: out += "NULL "; break;
            case CellKind::text:
                out += "'" + std::string{cell.bytes()} + "' ";
                EXPECT_EQ(cell.bytes().data()[cell.bytes().size()], '\0') << "cells of an arena end with a NUL byte";
                break;
            case CellKind::binary: out += "binary '" + std::string{cell.bytes()} + "' "; break;
            default: out += "? ";
        }
    }
    return out;
}

std::string error_of(std::initializer_list<Bytes> columns, TupleRole role, const TableSchema& table) {
    try {
        return "no error, but " + cells_of(columns, role, table);
    } catch (const DecodeError& error) {
        return error.what();
    }
}

TEST(TupleCells, NullUnchangedAbsentAndEmptyAreFourThings) {
    EXPECT_EQ(cells_of({text("1"), null(), text("")}, TupleRole::inserted, person()), "'1' NULL '' ");
    EXPECT_EQ(cells_of({text("1"), unchanged(), null()}, TupleRole::updated, person()), "'1' unchanged NULL ");
    EXPECT_EQ(cells_of({text("1"), null(), text("eu")}, TupleRole::old_key, person()), "'1' absent 'eu' ");
    EXPECT_EQ(cells_of({null(), null(), text("eu")}, TupleRole::old_full, person()), "NULL NULL 'eu' ");
    EXPECT_EQ(cells_of({text("1"), text("Änne €😀, with some length"), text("x")}, TupleRole::inserted, person()),
              "'1' 'Änne €😀, with some length' 'x' ");
}

TEST(TupleCells, AnotherNumberOfColumnsIsAnErrorWithBothNumbers) {
    EXPECT_EQ(error_of({text("1"), null()}, TupleRole::inserted, person()),
              "public.person: the leader sent 2 columns where 3 are known (" + describe_columns(person()) + ")");
    EXPECT_NE(error_of({null(), null(), null(), null()}, TupleRole::inserted, person()).find("4 columns where 3"), std::string::npos);
    EXPECT_NE(error_of({}, TupleRole::inserted, person()).find("0 columns where 3"), std::string::npos);
}

TEST(TupleCells, TheSpanHasToBeAsWideAsTheTable) {
    const TableSchema table = person();
    const HeapBytes message{Bytes{}.tuple({null(), null(), null()})};
    ByteReader in{message.span()};
    const TupleView tuple = TupleView::read(in);
    Arena arena;
    std::vector<Cell> cells(2);
    EXPECT_THROW(fill_cells(tuple, TupleRole::inserted, table, arena, cells), DecodeError);
    cells.resize(3);
    fill_cells(tuple, TupleRole::inserted, table, arena, cells);
    EXPECT_TRUE(cells[2].is_null());
}

TEST(TupleCells, TextThatIsNoTextNamesTheColumnAndNotTheValue) {
    const std::string nul = error_of({text("1"), text(std::string_view{"sec\0ret", 7}), null()}, TupleRole::inserted, person());
    EXPECT_EQ(nul, "public.person, column name: the leader sent a text with a NUL byte");
    const std::string latin = error_of({text("1"), text("secret \xE4"), null()}, TupleRole::updated, person());
    EXPECT_NE(latin.find("public.person, column name: the leader sent a text that is not valid UTF-8"), std::string::npos) << latin;
    EXPECT_EQ(latin.find("secret"), std::string::npos);
}

TEST(TupleCells, BinaryFormIsForThoseWhoAskForIt) {
    TableSchema table = person();
    table.columns[1].type_oid = 25;  // text: its binary form is the text itself
    const auto cells = [&](std::string_view name) {
        const HeapBytes message{Bytes{}.tuple({binary(std::string_view{"\0\0\0\1", 4}), binary(name), null()})};
        ByteReader in{message.span()};
        Arena arena;
        const auto row = tuple_cells(TupleView::read(in), TupleRole::inserted, table, arena, true);
        EXPECT_EQ(row[0].kind(), CellKind::binary);
        EXPECT_EQ(row[0].bytes(), (std::string_view{"\0\0\0\1", 4}));
        EXPECT_EQ(row[1].bytes(), name);
        EXPECT_TRUE(row[2].is_null());
    };
    cells("Änne");
    EXPECT_THROW(cells("\xE4"), DecodeError);
}

TEST(TupleCells, BinaryFormIsAnError) {
    EXPECT_EQ(error_of({text("1"), null(), binary("x")}, TupleRole::inserted, person()),
              "public.person, column region: the leader sent the binary form, but text was asked for");
}

TEST(TupleCells, UnchangedBelongsToUpdatesOnly) {
    for (const TupleRole role : {TupleRole::old_key, TupleRole::old_full}) {
        EXPECT_NE(error_of({text("1"), unchanged(), text("x")}, role, person()).find("column name: the leader left out"),
                  std::string::npos);
    }
    // What an update that brings a row into a publication's filter is sent as.
    EXPECT_NE(error_of({text("1"), unchanged(), text("x")}, TupleRole::inserted, person()).find("brought the row into the filter"), std::string::npos);
}

TEST(TupleCells, AKeyImageWithoutItsKeyWouldHitWrongRows) {
    EXPECT_EQ(error_of({text("1"), null(), null()}, TupleRole::old_key, person()),
              "public.person, column region: the leader sent a key with a NULL in it");
    EXPECT_EQ(error_of({text("1"), null(), null()}, TupleRole::old_key, person({})),
              "public.person: the leader sent a key, but the table has no identity columns");
}

TEST(TupleCells, NamesInErrorsCannotForgeLines) {
    TableSchema table = person();
    table.columns[1].name = "a\nERROR fake";
    const std::string error = error_of({text("1"), binary(""), null()}, TupleRole::inserted, table);
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
}

TEST(TupleCells, ATableWithoutColumnsHasNoCells) {
    TableSchema table;
    table.name = {"public", "empty"};
    EXPECT_EQ(cells_of({}, TupleRole::inserted, table), "");
}

}  // namespace
}  // namespace rowferry::pgoutput
