#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/leader.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"
#include "triggers/sqlite/sqlite_leader.h"

namespace rowferry::test {

/// The least that a follower has to do: applies events to a SQLite database of the same shape and is strict about it.
class Replica {
public:
    Replica() : db_{(new_temp_dir("replica") / "replica.db").string(), SqliteDatabase::Mode::create} {
        db_.execute("PRAGMA synchronous = OFF");
    }

    void make_table(const std::string& ddl) { db_.execute(ddl); }

    /// `displace`: rows in the way of an insert or update go, as the leader's REPLACE has done.
    void apply(const Event& event, bool displace) {
        if (std::holds_alternative<Begin>(event)) db_.execute("BEGIN");
        if (std::holds_alternative<Commit>(event)) db_.execute("COMMIT");
        if (const auto* change = std::get_if<Change>(&event)) apply(*change, displace);
        if (const auto* shape = std::get_if<ShapeChange>(&event)) apply(*shape);
    }

    void load(const Change& change) { apply(change, false); }

    [[nodiscard]] std::vector<std::string> dump(const std::string& table, const std::string& columns) {
        std::vector<std::string> rows;
        SqliteStatement select = db_.prepare("SELECT " + columns + " FROM " + quote_identifier(table));
        while (select.step()) rows.push_back(packed(select));
        std::sort(rows.begin(), rows.end());
        return rows;
    }

    static std::string packed(const SqliteStatement& row) {
        std::string text;
        for (int i = 0; i < row.column_count(); ++i) {
            const Cell cell = row.cell(i);
            text += std::to_string(static_cast<int>(cell.kind())) + ":";
            if (cell.kind() == CellKind::integer) text += std::to_string(cell.as_integer());
            if (cell.kind() == CellKind::real) {
                const double value = cell.as_real();
                text.append(reinterpret_cast<const char*>(&value), sizeof value);
            }
            if (cell.kind() == CellKind::text || cell.kind() == CellKind::blob) text += cell.bytes();
            text += "|";
        }
        return text;
    }

    /// What rows that are there already get in a new column: the leader's default as its schema has it.
    std::function<std::string(const std::string& table, const std::string& column)> default_of;

private:
    void apply(const ShapeChange& change) {
        const std::string before = quote_identifier(change.before->name.name);
        if (change.after == nullptr) return db_.execute("DROP TABLE " + before);
        const std::string after = quote_identifier(change.after->name.name);
        if (before != after) db_.execute("ALTER TABLE " + before + " RENAME TO " + after);
        for (std::size_t i = 0; i < change.after->columns.size(); ++i) {
            const ColumnSchema& column = change.after->columns[i];
            const std::string name = quote_identifier(column.name);
            if (i >= change.before->columns.size()) {
                const std::string value = default_of(change.after->name.name, column.name);
                db_.execute("ALTER TABLE " + after + " ADD COLUMN " + name + " " + column.type + (value.empty() ? "" : " DEFAULT " + value));
            } else if (change.before->columns[i].name != column.name) {
                db_.execute("ALTER TABLE " + after + " RENAME COLUMN " + quote_identifier(change.before->columns[i].name) + " TO " + name);
            }
        }
    }

    void apply(const Change& change, bool displace) {
        const TableSchema& table = *change.table;
        const std::string name = quote_identifier(table.name.name);
        const std::string or_replace = displace ? " OR REPLACE" : "";
        std::string columns;
        std::string marks;
        std::string sets;
        for (const ColumnSchema& column : table.columns) {
            columns += (columns.empty() ? "" : ",") + quote_identifier(column.name);
            marks += marks.empty() ? "?" : ",?";
            sets += (sets.empty() ? "" : ",") + quote_identifier(column.name) + "=?";
        }
        if (change.operation == Operation::insert) {
            run("INSERT" + or_replace + " INTO " + name + "(" + columns + ") VALUES(" + marks + ")", change.after, {});
            return;
        }
        const bool keyless = table.identity.empty();
        const std::span<const Cell> old = change.before.empty() ? change.after : change.before;
        std::string where;
        std::vector<Cell> key;
        for (std::uint16_t i = 0; i < table.columns.size(); ++i) {
            if (!keyless && !table.in_identity(i)) {
                if (!change.before.empty()) {
                    EXPECT_EQ(change.before[i].kind(), CellKind::absent);
                }
                continue;
            }
            where += (where.empty() ? "" : " AND ") + quote_identifier(table.columns[i].name) + " IS ?";
            key.push_back(old[i]);
        }
        if (keyless) where = "rowid = (SELECT rowid FROM " + name + " WHERE " + where + " LIMIT 1)";
        const std::int64_t changed = change.operation == Operation::update
                                         ? run("UPDATE" + or_replace + " " + name + " SET " + sets + " WHERE " + where, change.after, key)
                                         : run("DELETE FROM " + name + " WHERE " + where, {}, key);
        if (changed != 1) throw HaltError{"the replica has no such row in " + to_string(table.name)};
    }

    std::int64_t run(const std::string& sql, std::span<const Cell> first, const std::vector<Cell>& second) {
        SqliteStatement statement = db_.prepare(sql);
        int index = 0;
        for (const Cell& cell : first) statement.bind(++index, cell);
        for (const Cell& cell : second) statement.bind(++index, cell);
        statement.step();
        return db_.changes();
    }

    SqliteDatabase db_;
};

/// A leader file, an application that writes to it, and a follower that keeps a checkpoint.
class LeaderTest : public ::testing::Test {
protected:
    void open(const std::string& journal_mode = "WAL") {
        source_.reset();
        replica_ = std::make_unique<Replica>();
        replica_->default_of = [this](const std::string& table, const std::string& column) {
            return app_->value("SELECT coalesce(dflt_value, '') FROM pragma_table_info('" + table + "') WHERE name = '" + column + "'");
        };
        path_ = (new_temp_dir("leader") / "leader.db").string();
        app_ = std::make_unique<SqliteDb>(path_);
        app_->exec("PRAGMA journal_mode = " + journal_mode + "; PRAGMA synchronous = OFF");
        leader_ = make_sqlite_trigger_leader(path_, stop_);
        request_.stream = "default";
        request_.follower_id = "f1";
    }

    void sql(const std::string& text) { app_->exec(text); }

    /// Makes the table on the leader and on the follower.
    void table(const std::string& ddl) {
        sql(ddl);
        replica_->make_table(ddl);
    }

    void start() {
        leader_->check(request_, leader_->select_tables(request_));
        auto snapshot = leader_->start(request_);
        copy(*snapshot);
        checkpoint_ = Checkpoint{};
        checkpoint_.stream = request_.stream;
        checkpoint_.follower_id = request_.follower_id;
        checkpoint_.leader = leader_->identify();
        checkpoint_.capture = CaptureMethod::triggers;
        checkpoint_.state = CheckpointState::ready;
        checkpoint_.position_kind = PositionKind::sequence;
        checkpoint_.position = checkpoint_.acked = snapshot->position();
        checkpoint_.resume = snapshot->resume();
        for (const TablePtr& table : snapshot->tables())
            checkpoint_.tables.push_back({table->name, snapshot->position(), table_from_json(to_json(*table))});
        snapshot.reset();
        follow();
    }

    void copy(Snapshot& snapshot) {
        for (const TablePtr& table : snapshot.tables()) {
            snapshot.open_table(table);
            for (bool more = true; more;) {
                Batch batch;
                more = snapshot.read_rows(batch, 4096);
                for (const Event& event : batch.events()) replica_->load(std::get<Change>(event));
            }
        }
    }

    void follow() {
        source_.reset();
        source_ = leader_->follow(request_, checkpoint_);
    }

    /// Reads and applies everything that is committed now.
    void catch_up(std::size_t budget = 1 << 20) {
        const Position goal = leader_->mark(request_);
        while (checkpoint_.position < goal) step(budget);
    }

    void step(std::size_t budget = 1 << 20) {
        Batch batch;
        source_->read(batch, budget, std::chrono::milliseconds{100});
        for (const Event& event : batch.events()) {
            replica_->apply(event, displace_);
            if (const auto* begin = std::get_if<Begin>(&event)) {
                EXPECT_FALSE(inside_);
                EXPECT_EQ(begin->after, checkpoint_.position);
                inside_ = true;
            }
            if (const auto* change = std::get_if<Change>(&event)) {
                EXPECT_TRUE(inside_);
                log_ += change->operation == Operation::insert ? 'I' : change->operation == Operation::update ? 'U' : 'D';
            }
            if (const auto* shape = std::get_if<ShapeChange>(&event)) {
                log_ += shape->after == nullptr ? 'X' : 'S';
                std::erase_if(checkpoint_.tables, [&](const TableState& state) { return state.name == shape->before->name; });
                if (shape->leader_after != nullptr) checkpoint_.tables.push_back({shape->leader_after->name, {}, table_from_json(to_json(*shape->leader_after))});
            }
            if (const auto* commit = std::get_if<Commit>(&event)) {
                EXPECT_GT(commit->position, checkpoint_.position);
                checkpoint_.position = checkpoint_.acked = commit->position;
                checkpoint_.resume = commit->resume;
                inside_ = false;
                ++commits_;
            }
        }
    }

    /// The operations seen since the last call.
    std::string operations() { return std::exchange(log_, {}); }

    void expect_equal(const std::string& table, const std::string& columns = "*") {
        SqliteDatabase leader{path_, SqliteDatabase::Mode::read_write};
        std::vector<std::string> rows;
        SqliteStatement select = leader.prepare("SELECT " + columns + " FROM " + quote_identifier(table));
        while (select.step()) rows.push_back(Replica::packed(select));
        std::sort(rows.begin(), rows.end());
        const std::vector<std::string> got = replica_->dump(table, columns);
        EXPECT_EQ(got.size(), rows.size()) << table;
        EXPECT_TRUE(got == rows) << table << " differs";
    }

    /// The message of the HaltError that the next reads throw.
    std::string halt_message() {
        try {
            for (int i = 0; i < 30; ++i) step();
        } catch (const HaltError& error) {
            return error.what();
        }
        return "no halt";
    }

    std::string follow_message() {
        try {
            follow();
        } catch (const HaltError& error) {
            return error.what();
        }
        return "no halt";
    }

    std::string schema_of_file() {
        std::string text;
        SqliteDatabase db{path_, SqliteDatabase::Mode::read_write};
        SqliteStatement rows = db.prepare("SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid");
        while (rows.step()) text += Replica::packed(rows) + "\n";
        return text;
    }

    std::string path_;
    StopSignal stop_;
    std::unique_ptr<SqliteDb> app_;
    std::unique_ptr<Leader> leader_;
    StreamRequest request_;
    Checkpoint checkpoint_;
    std::unique_ptr<Replica> replica_;
    std::unique_ptr<Source> source_;
    bool displace_ = false;
    bool inside_ = false;
    int commits_ = 0;
    std::string log_;
};

}  // namespace rowferry::test
