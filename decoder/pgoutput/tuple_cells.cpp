#include "decoder/pgoutput/tuple_cells.h"

#include <cstring>
#include <string>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"
#include "schemas/value_shapes.h"

namespace rowferry::pgoutput {
namespace {

[[noreturn]] void fail(const TableSchema& table, std::size_t column, std::string_view what) {
    throw DecodeError{fmt::format("{}, column {}: {}", to_string(table.name), printable(table.columns[column].name), what)};
}

void check_text(const TableSchema& table, std::size_t column, std::string_view text) {
    const std::size_t bad = find_bad_text(text);
    if (bad == std::string_view::npos) return;
    if (text[bad] == '\0') fail(table, column, "the leader sent a text with a NUL byte");
    fail(table, column, "the leader sent a text that is not valid UTF-8 (is the database's encoding SQL_ASCII?); correct the row on the leader");
}

/// In the arena as a whole: one copy per row instead of one per value.
char* copy_bytes(const TupleView& tuple, Arena& arena) {
    char* const place = arena.bytes(tuple.bytes().size());
    if (!tuple.bytes().empty()) std::memcpy(place, tuple.bytes().data(), tuple.bytes().size());
    return place;
}

void check_width(const TupleView& tuple, const TableSchema& table, std::size_t cells) {
    if (tuple.column_count() == table.columns.size() && cells == table.columns.size()) return;
    throw DecodeError{fmt::format("{}: the leader sent {} columns where {} are known ({})", to_string(table.name), tuple.column_count(),
                                  table.columns.size(), describe_columns(table))};
}

}  // namespace

void fill_cells(const TupleView& tuple, TupleRole role, const TableSchema& table, Arena& arena, std::span<Cell> cells, bool binary) {
    check_width(tuple, table, cells.size());
    if (role == TupleRole::old_key && table.identity.empty()) {
        throw DecodeError{fmt::format("{}: the leader sent a key, but the table has no identity columns", to_string(table.name))};
    }
    char* const place = copy_bytes(tuple, arena);
    char* end = nullptr;  // of the value before, where its NUL byte goes once the tag of this one has been read from there
    auto identity = table.identity.begin();  // in column order, as the tuple is
    std::size_t column = 0;
    for (const ColumnValue& value : tuple.at(place)) {
        if (end != nullptr) *end = '\0';
        end = nullptr;
        const bool in_identity = identity != table.identity.end() && *identity == column;
        if (in_identity) ++identity;
        switch (value.kind) {
            case ValueKind::null:
                if (role == TupleRole::old_key && in_identity) fail(table, column, "the leader sent a key with a NULL in it");
                cells[column] = role == TupleRole::old_key ? Cell::absent() : Cell::null();
                break;
            case ValueKind::unchanged:
                // An update by which a row comes into a publication's filter is sent as an insert, without its unchanged TOASTed values.
                if (role == TupleRole::inserted)
                    fail(table, column, "the leader sent a new row without this value: an update brought the row into the filter and left a large value as it was. Give the table "
                                        "REPLICA IDENTITY FULL and copy again, or filter by columns that are never updated");
                if (role != TupleRole::updated) fail(table, column, "the leader left out an unchanged value where it must send it");
                cells[column] = Cell::unchanged();
                break;
            case ValueKind::text:
                check_text(table, column, value.bytes);
                cells[column] = Cell::text(value.bytes);
                end = place + (value.bytes.data() - place) + value.bytes.size();
                break;
            case ValueKind::binary:
                if (!binary) fail(table, column, "the leader sent the binary form, but text was asked for");
                if (pg_binary::is_text(table.columns[column].type_oid)) check_text(table, column, value.bytes);
                cells[column] = Cell::binary(value.bytes);
                end = place + (value.bytes.data() - place) + value.bytes.size();
                break;
        }
        ++column;
    }
}

std::span<const Cell> tuple_cells(const TupleView& tuple, TupleRole role, const TableSchema& table, Arena& arena, bool binary) {
    check_width(tuple, table, table.columns.size());  // before the array: its size then comes from what we know
    const std::span<Cell> cells = arena.array<Cell>(table.columns.size());
    fill_cells(tuple, role, table, arena, cells, binary);
    return cells;
}

}  // namespace rowferry::pgoutput
