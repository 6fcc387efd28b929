#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "schemas/batch.h"

namespace rowferry::test {

/// A cell as a test writes it: 7, 2.5, "text", blob("…"), null, absent, unchanged.
struct Value {
    Value(int value) : cell{Cell::integer(value)} {}                 // NOLINT: literals are meant to convert
    Value(std::int64_t value) : cell{Cell::integer(value)} {}        // NOLINT
    Value(double value) : cell{Cell::real(value)} {}                 // NOLINT
    Value(const char* value) : bytes{value}, is_text{true} {}        // NOLINT
    Value(std::string value) : bytes{std::move(value)}, is_text{true} {}  // NOLINT
    Value(Cell value) : cell{value} {}                               // NOLINT

    std::string bytes;
    bool is_text = false;
    bool is_blob = false;
    Cell cell;
};
inline Value blob(std::string bytes) {
    Value value{std::move(bytes)};
    value.is_text = false;
    value.is_blob = true;
    return value;
}
inline const Cell null = Cell::null();
inline const Cell absent = Cell::absent();
inline const Cell unchanged = Cell::unchanged();

using Values = std::vector<Value>;

struct BeginStep {
    std::uint64_t after;
};
struct CommitStep {
    std::uint64_t position;
    std::int64_t time_us;
};
struct ChangeStep {
    TablePtr table;
    Operation operation;
    Values before;
    Values after;
};
struct TruncateStep {
    std::vector<TablePtr> tables;
    bool restart_identity;
};
struct IdleStep {
    std::uint64_t position;
};
using Step = std::variant<BeginStep, CommitStep, ChangeStep, TruncateStep, IdleStep>;

inline Step begin(std::uint64_t after) { return BeginStep{after}; }
inline Step commit(std::uint64_t position, std::int64_t time_us = 0) { return CommitStep{position, time_us}; }
inline Step idle(std::uint64_t position) { return IdleStep{position}; }
inline Step insert(TablePtr table, Values row) { return ChangeStep{std::move(table), Operation::insert, {}, std::move(row)}; }
/// Without an image before: the identity is that of the row after.
inline Step update(TablePtr table, Values after) { return ChangeStep{std::move(table), Operation::update, {}, std::move(after)}; }
inline Step update(TablePtr table, Values before, Values after) { return ChangeStep{std::move(table), Operation::update, std::move(before), std::move(after)}; }
inline Step remove(TablePtr table, Values before) { return ChangeStep{std::move(table), Operation::remove, std::move(before), {}}; }
inline Step truncate(std::vector<TablePtr> tables, bool restart_identity = false) { return TruncateStep{std::move(tables), restart_identity}; }

/// Adds a step to a batch as a source would.
inline void add_step(Batch& batch, const Step& step) {
    const auto image = [&batch](const Values& values) {
        const std::span<Cell> cells = batch.arena().array<Cell>(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            cells[i] = values[i].cell;
            if (values[i].is_text) cells[i] = Cell::text(batch.arena().copy(values[i].bytes));
            if (values[i].is_blob) cells[i] = Cell::blob(batch.arena().copy(values[i].bytes));
        }
        return std::span<const Cell>{cells};
    };
    if (const auto* begin = std::get_if<BeginStep>(&step)) {
        batch.add(Begin{{begin->after, 0}, 0, Boundary::exact});
    } else if (const auto* commit = std::get_if<CommitStep>(&step)) {
        batch.add(Commit{{commit->position, 0}, commit->time_us, {}});
    } else if (const auto* idle = std::get_if<IdleStep>(&step)) {
        batch.add_idle({idle->position, 0});
    } else if (const auto* change = std::get_if<ChangeStep>(&step)) {
        batch.add(Change{batch.keep(change->table), change->operation, image(change->before), image(change->after)});
    } else if (const auto* truncate = std::get_if<TruncateStep>(&step)) {
        const auto tables = batch.arena().array<const TableSchema*>(truncate->tables.size());
        for (std::size_t i = 0; i < tables.size(); ++i) tables[i] = batch.keep(truncate->tables[i]);
        batch.add(Truncate{tables, false, truncate->restart_identity});
    }
}

}  // namespace rowferry::test
