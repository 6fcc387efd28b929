#pragma once

// What has to hold for any bytes. Shared by the libFuzzer targets and the short fuzz that runs with the unit tests. A broken promise traps.

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "decoder/pgoutput/copy_data.h"
#include "decoder/pgoutput/messages.h"
#include "decoder/pgoutput/tuple_cells.h"
#include "schemas/error.h"
#include "tests/unit/pgoutput_bytes.h"

namespace rowferry::test {

/// A table that fits the tuple, so that the cells are reached; every second column is in its identity.
inline TableSchema table_for(std::size_t columns) {
    TableSchema table;
    table.name = {"public", "fuzzed"};
    table.columns.resize(columns);
    for (std::size_t i = 0; i < columns; i += 2) table.identity.push_back(static_cast<std::uint16_t>(i));
    return table;
}

inline void cells_of_anything(const pgoutput::TupleView& tuple, pgoutput::TupleRole role) {
    Arena arena;
    const TableSchema table = table_for(tuple.column_count());
    try {
        const std::span<const Cell> cells = pgoutput::tuple_cells(tuple, role, table, arena);
        std::size_t column = 0;
        for (const pgoutput::ColumnValue& value : tuple) {
            const Cell& cell = cells[column++];
            if ((value.kind == pgoutput::ValueKind::text) != (cell.kind() == CellKind::text)) __builtin_trap();
            if (cell.kind() == CellKind::text && cell.bytes() != value.bytes) __builtin_trap();
        }
    } catch (const DecodeError&) {
    }
}

/// What the spool looks at is what the decoder finds later: it takes every message that the decoder takes inside a stream, with the same xid.
inline void subtransaction_of_anything(std::span<const std::byte> bytes, const pgoutput::Message& message) {
    if (std::holds_alternative<pgoutput::StreamStop>(message)) return;
    std::uint32_t xid = 0;
    std::visit(
        [&](const auto& m) {
            if constexpr (requires { m.xid; }) xid = m.xid;
        },
        message);
    if (pgoutput::subtransaction_of(bytes) != xid) __builtin_trap();
}

/// True when the bytes were a message.
inline bool decode_anything(std::span<const std::byte> bytes, bool in_stream, bool parallel_streaming) {
    try {
        const pgoutput::Message message = pgoutput::decode_message(bytes, in_stream, parallel_streaming);
        touch(message);
        if (in_stream) subtransaction_of_anything(bytes, message);
        if (const auto* insert = std::get_if<pgoutput::Insert>(&message)) cells_of_anything(insert->after, pgoutput::TupleRole::inserted);
        if (const auto* update = std::get_if<pgoutput::Update>(&message)) {
            cells_of_anything(update->before, pgoutput::TupleRole::old_key);
            cells_of_anything(update->after, pgoutput::TupleRole::updated);
        }
        if (const auto* remove = std::get_if<pgoutput::Delete>(&message)) cells_of_anything(remove->before, pgoutput::TupleRole::old_full);
        if (const auto* commit = std::get_if<pgoutput::Commit>(&message); commit != nullptr && commit->end_lsn <= commit->commit_lsn)
            __builtin_trap();
        return true;
    } catch (const DecodeError&) {
        return false;
    }
}

/// True when the bytes were CopyData.
inline bool decode_any_copy_data(std::span<const std::byte> bytes) {
    try {
        const pgoutput::CopyMessage message = pgoutput::decode_copy_data(bytes);
        if (const auto* data = std::get_if<pgoutput::XLogData>(&message)) {
            if (data->payload.size() + 25 != bytes.size()) __builtin_trap();
            decode_anything(data->payload, false, false);
        }
        return true;
    } catch (const DecodeError&) {
        return false;
    }
}

}  // namespace rowferry::test
