#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/batch.h"

namespace rowferry::test {

/// A value of a test row as its leader would send it.
struct V {
    enum class Kind { cell, text, blob } kind = Kind::cell;
    Cell cell;
    std::string bytes;

    V(const char* text) : kind{Kind::text}, bytes{text} {}
    V(std::string text) : kind{Kind::text}, bytes{std::move(text)} {}
    V(int value) : cell{Cell::integer(value)} {}
    V(std::int64_t value) : cell{Cell::integer(value)} {}
    V(double value) : cell{Cell::real(value)} {}
    V(Cell value) : cell{value} {}
};
inline V null() { return V{Cell::null()}; }
inline V unchanged() { return V{Cell::unchanged()}; }
inline V absent() { return V{Cell::absent()}; }
inline V blob(std::string bytes) {
    V value{std::move(bytes)};
    value.kind = V::Kind::blob;
    return value;
}

/// Hand-made events in a batch of their own: `Events{}.begin(90).insert(t, {"1", "ann"}).commit(100)`.
class Events {
public:
    Events& begin(std::uint64_t after) {
        Begin begin;
        begin.after = {after, 0};
        batch_.add(begin);
        return *this;
    }
    Events& commit(std::uint64_t position) {
        Commit commit;
        commit.position = {position, 0};
        batch_.add(commit);
        return *this;
    }
    Events& insert(const TablePtr& table, const std::vector<V>& row) { return change(table, Operation::insert, {}, row); }
    Events& update(const TablePtr& table, const std::vector<V>& after) { return change(table, Operation::update, {}, after); }
    Events& update(const TablePtr& table, const std::vector<V>& before, const std::vector<V>& after) {
        return change(table, Operation::update, before, after);
    }
    Events& remove(const TablePtr& table, const std::vector<V>& before) { return change(table, Operation::remove, before, {}); }
    Events& truncate(const std::vector<TablePtr>& tables, bool restart_identity = false) {
        Truncate truncate;
        const auto list = batch_.arena().array<const TableSchema*>(tables.size());
        for (std::size_t i = 0; i < tables.size(); ++i) list[i] = batch_.keep(tables[i]);
        truncate.tables = list;
        truncate.restart_identity = restart_identity;
        batch_.add(truncate);
        return *this;
    }
    [[nodiscard]] std::span<const Event> get() const { return batch_.events(); }

private:
    Events& change(const TablePtr& table, Operation operation, const std::vector<V>& before, const std::vector<V>& after) {
        Change change;
        change.table = batch_.keep(table);
        change.operation = operation;
        change.before = cells(before);
        change.after = cells(after);
        batch_.add(change);
        return *this;
    }
    std::span<const Cell> cells(const std::vector<V>& values) {
        const auto row = batch_.arena().array<Cell>(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const V& value = values[i];
            if (value.kind == V::Kind::cell) row[i] = value.cell;
            if (value.kind == V::Kind::text) row[i] = Cell::text(batch_.arena().copy(value.bytes));
            if (value.kind == V::Kind::blob) row[i] = Cell::blob(batch_.arena().copy(value.bytes));
        }
        return row;
    }
    Batch batch_;
};

/// A PostgreSQL leader's table: `pg_table("t", {{"id", "integer"}, {"name", "text"}}, {0})`.
struct ColumnOf {
    std::string name;
    std::string type;
    bool not_null = false;
};
inline TableSchema leader_table(Engine engine, const std::string& name, const std::vector<ColumnOf>& columns, const ColumnIndexes& key) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", name};
    for (const ColumnOf& source : columns) {
        ColumnSchema column;
        column.name = source.name;
        column.type = source.type;
        column.base_type = engine == Engine::sqlite ? "" : source.type;
        column.not_null = source.not_null;
        table.columns.push_back(column);
    }
    table.primary_key = key;
    table.identity = key;
    if (!key.empty()) table.unique_keys.push_back({name + "_pkey", key});
    return table;
}
inline TableSchema pg_table(const std::string& name, const std::vector<ColumnOf>& columns, const ColumnIndexes& key) {
    return leader_table(Engine::postgresql, name, columns, key);
}
inline TableSchema sqlite_table(const std::string& name, const std::vector<ColumnOf>& columns, const ColumnIndexes& key) {
    return leader_table(Engine::sqlite, name, columns, key);
}
inline TablePtr share(TableSchema table) { return std::make_shared<const TableSchema>(std::move(table)); }

}  // namespace rowferry::test
