#pragma once

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "decoder/sqlite_wal/commit_decoder.h"
#include "schemas/identifier.h"
#include "schemas/shape_diff.h"
#include "tests/support/wal_leader.h"

namespace rowferry::test {

/// A row as texts that say storage class and exact value.
using PackedRow = std::vector<std::string>;

inline std::string packed(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return fmt::format("i{}", cell.as_integer());
        case CellKind::real: return fmt::format("r{:016x}", std::bit_cast<std::uint64_t>(cell.as_real()));
        case CellKind::text: return "t" + std::string{cell.bytes()};
        case CellKind::blob: return "b" + std::string{cell.bytes()};
        case CellKind::null: return "null";
        default: return "unknown";
    }
}

inline PackedRow packed(std::span<const Cell> cells) {
    PackedRow row;
    for (const Cell& cell : cells) row.push_back(packed(cell));
    return row;
}

inline std::string packed(const SqliteValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("i{}", *integer);
    if (const auto* real = std::get_if<double>(&value)) return fmt::format("r{:016x}", std::bit_cast<std::uint64_t>(*real));
    if (const auto* text = std::get_if<std::string>(&value)) return "t" + *text;
    if (const auto* blob = std::get_if<SqliteBlob>(&value)) return "b" + blob->bytes;
    return "null";
}

using PackedTables = std::map<std::string, std::multiset<PackedRow>>;

/// Every table's rows as SQLite itself reads them.
inline PackedTables read_all(SqliteDb& db) {
    PackedTables tables;
    for (const SqliteRow& table : db.query("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")) {
        const std::string name = std::get<std::string>(table[0]);
        std::string columns;
        for (const SqliteRow& column : db.query("SELECT name FROM pragma_table_xinfo(" + quote_literal(name) + ") WHERE hidden <> 2 ORDER BY cid"))
            columns += (columns.empty() ? "" : ", ") + quote_identifier(std::get<std::string>(column[0]));
        std::multiset<PackedRow>& rows = tables[name];
        for (const SqliteRow& row : db.query("SELECT " + columns + " FROM " + quote_identifier(name))) {
            PackedRow line;
            for (const SqliteValue& value : row) line.push_back(packed(value));
            rows.insert(std::move(line));
        }
    }
    return tables;
}

/// Carries everything and tells of every change of columns or name.
class CarryAll : public TableChooser {
public:
    CarriedTable appeared(const SqliteTable& table) override {
        CarriedTable use;
        use.carried = std::make_shared<const TableSchema>(table.schema);
        use.columns.resize(table.schema.columns.size());
        std::iota(use.columns.begin(), use.columns.end(), std::uint16_t{0});
        return use;
    }
    CarriedTable changed(const CarriedTable&, const SqliteTable& before, const SqliteTable& now) override {
        CarriedTable use = appeared(now);
        use.announce = before.schema.name != now.schema.name || !same_columns(before.schema, now.schema);
        return use;
    }
    void dropped(const CarriedTable&, const SqliteTable&) override {}
    void unreadable(const std::string& name, const std::string& why) override { unreadable_tables.push_back(name + ": " + why); }
    std::vector<std::string> unreadable_tables;
};

/// What one commit's events were.
struct SeenCommit {
    std::vector<std::string> lines;  ///< `I t ix ty`: operation, table, image before, image behind; `S before -> after`.
    std::map<std::string, std::pair<std::multiset<PackedRow>, std::multiset<PackedRow>>> images;
    bool shapes_changed = false;
};

/// Follows a leader commit by commit and keeps what a strict applier would have: every row that goes must be there, no unique key may ever be there twice.
class WalReplica {
public:
    explicit WalReplica(WalLeader& leader, const DecodeLimits& limits = {}) : leader_{leader}, decoder_{leader.pages(), all_, limits}, tables_{read_all(leader.db())} {
        learn_shapes();
    }

    /// Applies a commit, and stands behind it.
    SeenCommit apply(const WalCommit& commit, std::size_t budget = 4096) {
        const MemoryPages after{&leader_.pages(), commit.pages, commit.page_count};
        const std::vector<std::uint32_t> numbers = commit.numbers();
        SeenCommit seen;
        unique_.clear();
        decoder_.begin(leader_.pages(), after, numbers);
        Batch batch;
        for (bool done = false; !done;) {
            batch.clear();
            done = decoder_.fill(batch, budget);
            EXPECT_TRUE(done || !batch.empty());
            for (const Event& event : batch.events()) apply(event, seen);
        }
        leader_.pages().commit(commit.pages, commit.page_count);
        learn_shapes();
        return seen;
    }

    /// Everything that the leader committed since the last time as one change, as after a time away: what is known is which pages differ.
    SeenCommit catch_up(std::size_t budget = 4096) {
        WalCommit all{{}, leader_.pages().page_count()};
        for (WalCommit& commit : leader_.take()) {
            for (auto& [number, page] : commit.pages) all.pages[number] = std::move(page);
            all.page_count = commit.page_count;
            all.pages.erase(all.pages.upper_bound(all.page_count), all.pages.end());
        }
        std::erase_if(all.pages, [&](const auto& changed) {
            return changed.first <= leader_.pages().page_count() && std::ranges::equal(leader_.pages().page(changed.first), changed.second);
        });
        return apply(all, budget);
    }

    /// Everything that the leader committed since the last time, one after the other.
    std::vector<SeenCommit> follow(std::size_t budget = 4096) {
        std::vector<SeenCommit> result;
        for (const WalCommit& commit : leader_.take()) result.push_back(apply(commit, budget));
        return result;
    }

    /// The lines of all of them.
    std::vector<std::string> lines(std::size_t budget = 4096) {
        std::vector<std::string> result;
        for (SeenCommit& seen : follow(budget)) result.insert(result.end(), seen.lines.begin(), seen.lines.end());
        return result;
    }

    void expect_equal() const {
        const PackedTables truth = read_all(leader_.db());
        ASSERT_EQ(names(truth), names(tables_));
        for (const auto& [name, rows] : truth) ASSERT_TRUE(rows == tables_.at(name)) << "table " << name << " has other rows";
    }

    CommitDecoder& decoder() { return decoder_; }
    CarryAll& chooser() { return all_; }
    std::vector<std::string> problems;

private:
    static std::set<std::string> names(const PackedTables& tables) {
        std::set<std::string> result;
        for (const auto& [name, rows] : tables) result.insert(name);
        return result;
    }

    void problem(const std::string& what) {
        problems.push_back(what);
        ADD_FAILURE() << what;
    }

    void learn_shapes() {
        for (const TablePtr& table : decoder_.tables()) tables_[table->name.name];
    }

    void apply(const Event& event, SeenCommit& seen) {
        if (const auto* shape = std::get_if<ShapeChange>(&event)) return apply(*shape, seen);
        const auto& change = std::get<Change>(event);
        const std::string& name = change.table->name.name;
        const PackedRow before = packed(change.before);
        const PackedRow after = packed(change.after);
        seen.lines.push_back(fmt::format("{} {} {}", change.operation == Operation::insert ? 'I' : change.operation == Operation::update ? 'U' : 'D', name,
                                         fmt::join(change.operation == Operation::remove ? before : after, " ")));
        auto& rows = tables_[name];
        auto& keys = keys_of(*change.table, rows);
        auto& [removed, added] = seen.images[name];
        if (change.operation != Operation::insert) {
            const auto row = rows.find(before);
            if (row == rows.end()) return problem("a row that goes is not there: " + seen.lines.back());
            rows.erase(row);
            count_keys(*change.table, keys, before, -1);
            removed.insert(before);
        }
        if (change.operation != Operation::remove) {
            rows.insert(after);
            count_keys(*change.table, keys, after, 1);
            added.insert(after);
        }
        if (change.operation == Operation::update && before == after) problem("an update that changes nothing: " + seen.lines.back());
    }

    using Keys = std::vector<std::map<PackedRow, int>>;
    Keys& keys_of(const TableSchema& table, const std::multiset<PackedRow>& rows) {
        const auto [entry, fresh] = unique_.try_emplace(&table);
        if (fresh) {
            entry->second.resize(table.unique_keys.size());
            for (const PackedRow& row : rows) count_keys(table, entry->second, row, 1);
        }
        return entry->second;
    }

    void count_keys(const TableSchema& table, Keys& keys, const PackedRow& row, int by) {
        for (std::size_t i = 0; i < table.unique_keys.size(); ++i) {
            PackedRow key;
            for (const std::uint16_t column : table.unique_keys[i].columns) key.push_back(row[column]);
            if (std::find(key.begin(), key.end(), "null") != key.end()) continue;
            if ((keys[i][key] += by) > 1) problem(fmt::format("a row comes to {} while another one has its {}: {}", table.name.name, table.unique_keys[i].name, fmt::join(key, " ")));
        }
    }

    /// What a follower does with ALTER TABLE.
    void apply(const ShapeChange& change, SeenCommit& seen) {
        seen.shapes_changed = true;
        unique_.clear();
        seen.lines.push_back(fmt::format("S {} ({}) -> {}", change.before->name.name, describe_columns(*change.before),
                                         change.after == nullptr ? "" : change.after->name.name + " (" + describe_columns(*change.after) + ")"));
        auto rows = tables_.extract(change.before->name.name);
        if (rows.empty()) return problem("a table that changes is not there: " + seen.lines.back());
        if (change.after == nullptr) return;
        std::vector<std::optional<std::uint16_t>> from(change.after->columns.size());
        for (std::uint16_t i = 0; i < change.before->columns.size(); ++i)
            if (const auto column = same_column(*change.before, i, *change.after)) from[*column] = i;
        std::multiset<PackedRow> now;
        PackedRow added;
        for (const ColumnSchema& column : change.after->columns) added.push_back(default_of(column));
        for (const PackedRow& row : rows.mapped()) {
            PackedRow copy = added;
            for (std::size_t i = 0; i < from.size(); ++i)
                if (from[i]) copy[i] = row[*from[i]];
            now.insert(std::move(copy));
        }
        tables_[change.after->name.name] = std::move(now);
    }

    static std::string default_of(const ColumnSchema& column) {
        if (column.default_expression.empty()) return "null";
        SqliteDb scratch{":memory:"};
        try {
            scratch.exec("CREATE TABLE t (x " + column.type + " DEFAULT " + column.default_expression + ")");
        } catch (const std::runtime_error&) {
            scratch.exec("CREATE TABLE t (x " + column.type + " DEFAULT (" + column.default_expression + "))");
        }
        scratch.exec("INSERT INTO t DEFAULT VALUES");
        return packed(scratch.query("SELECT x FROM t")[0][0]);
    }

    WalLeader& leader_;
    CarryAll all_;
    CommitDecoder decoder_;
    PackedTables tables_;
    std::map<const TableSchema*, Keys> unique_;
};

}  // namespace rowferry::test
