#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "applier/sqlite/sqlite_follower.h"
#include "db/stop_signal.h"
#include "schemas/conversion.h"
#include "schemas/error.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/batch_builder.h"

namespace rowferry::test {

/// A column of a leader: name, type, NOT NULL.
struct ColumnSpec {
    std::string name;
    std::string type;
    ValueClass value_class = ValueClass::text;
    bool not_null = false;
};

inline TableSchema table_of(Engine engine, const std::string& name, const std::vector<ColumnSpec>& columns, ColumnIndexes key) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", name};
    for (const ColumnSpec& spec : columns) {
        ColumnSchema column;
        column.name = spec.name;
        column.type = spec.type;
        column.base_type = engine == Engine::postgresql ? spec.type : "";
        column.value_class = engine == Engine::sqlite ? sqlite_value_class(spec.type) : spec.value_class;
        column.collation = engine == Engine::sqlite ? "BINARY" : "";
        column.not_null = spec.not_null;
        table.columns.push_back(column);
    }
    table.primary_key = key;
    table.identity = key;
    if (!key.empty()) table.unique_keys.push_back({name + "_pkey", key});
    return table;
}

inline TablePtr share(TableSchema table) { return std::make_shared<const TableSchema>(std::move(table)); }

/// `CREATE TABLE users (id integer PRIMARY KEY, name text)` of a PostgreSQL leader.
inline TablePtr pg_users() {
    return share(table_of(Engine::postgresql, "users", {{"id", "integer", ValueClass::integer, true}, {"name", "text"}}, {0}));
}

/// The same of a SQLite leader.
inline TablePtr sqlite_users() {
    TableSchema table = table_of(Engine::sqlite, "users", {{"id", "INTEGER"}, {"name", "TEXT"}}, {0});
    table.columns[0].auto_number = AutoNumber::by_default;
    return share(table);
}

/// Drives a SQLite follower with hand-made batches, as the loop would, and looks at the file through a connection of its own.
class SqliteFollowerTest : public testing::Test {
protected:
    SqliteFollowerTest() : path_{(new_temp_dir("follower") / "follower.db").string()} {}

    [[nodiscard]] Checkpoint checkpoint_at(std::uint64_t position, CheckpointState state) const {
        Checkpoint checkpoint;
        checkpoint.stream = "default";
        checkpoint.follower_id = "f1";
        const bool sqlite = tables_.front()->engine == Engine::sqlite;
        checkpoint.leader = {tables_.front()->engine, "77", sqlite ? 0U : 1U, sqlite ? "" : "shop"};
        checkpoint.capture = sqlite ? CaptureMethod::triggers : CaptureMethod::logical;
        checkpoint.position_kind = sqlite ? PositionKind::sequence : PositionKind::lsn;
        checkpoint.state = state;
        checkpoint.position = {position, 0};
        for (const TablePtr& table : tables_) checkpoint.tables.push_back({table->name, {position, 0}, *table});
        return checkpoint;
    }

    /// A new follower that holds `rows` and is ready at position 90.
    void follow(std::vector<TablePtr> tables, const std::vector<Step>& rows = {}) {
        tables_ = std::move(tables);
        follower_ = make_sqlite_follower(path_, stop_);
        follower_->open(true);
        notes_ = follower_->check_tables(tables_, options_, nullptr);
        follower_->start_copy(checkpoint_at(90, CheckpointState::copying), tables_, options_);
        for (const TablePtr& table : tables_) copy(table, rows);
        follower_->finish_copy(checkpoint_at(90, CheckpointState::ready), tables_);
        restart();
    }

    void copy(const TablePtr& table, const std::vector<Step>& rows) {
        Batch batch;
        for (const Step& row : rows)
            if (std::get<ChangeStep>(row).table == table) add_step(batch, row);
        const auto target = follower_->copy_into(table);
        target->write(batch.events());
        target->finish();
    }

    /// A new process: a new follower and sink, from the stored checkpoint only.
    void restart() {
        sink_.reset();
        follower_ = make_sqlite_follower(path_, stop_);
        follower_->open(false);
        sink_ = follower_->open_sink(*follower_->load_checkpoint("default"), options_);
    }
    /// The process ends with its transaction open.
    void crash() { sink_.reset(); }

    /// What the loop does: transactions at or below the checkpoint are skipped, a group ends at each Commit.
    template <typename... Steps>
    void feed(const Steps&... steps) {
        feed_all({Step{steps}...});
    }
    void feed_all(const std::vector<Step>& steps) {
        const Position stored = follower_->load_checkpoint("default")->position;
        Batch batch;
        bool skipped = false;
        for (const Step& step : steps) {
            if (const auto* begin = std::get_if<BeginStep>(&step)) skipped = begin->after < stored.major;
            if (!skipped) add_step(batch, step);
        }
        sink_->apply(batch.events());
        for (auto event = batch.events().rbegin(); event != batch.events().rend(); ++event)
            if (const auto* commit = std::get_if<Commit>(&*event)) return sink_->commit({commit->position, "resume", commit->time_us, false, nullptr});
    }

    /// Rows as `1|ann` lines, in the order of the first columns.
    std::string rows(const std::string& table, const std::string& columns = "*") {
        SqliteDb db{path_};
        std::string text;
        for (const SqliteRow& row : db.query("SELECT " + columns + " FROM \"" + table + "\" ORDER BY 1, 2")) {
            std::string line;
            for (const SqliteValue& value : row) line += (line.empty() ? "" : "|") + to_text(value);
            text += (text.empty() ? "" : "\n") + line;
        }
        return text;
    }
    static std::string to_text(const SqliteValue& value) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
        if (const auto* real = std::get_if<double>(&value)) return "real:" + std::to_string(*real);
        if (const auto* text = std::get_if<std::string>(&value)) return *text;
        if (const auto* blob = std::get_if<SqliteBlob>(&value)) return "blob:" + blob->bytes;
        return "NULL";
    }
    std::string value(const std::string& sql) { return SqliteDb{path_}.value(sql); }
    void exec(const std::string& sql) { SqliteDb{path_}.exec(sql); }
    std::string position() { return value("SELECT position FROM rowferry_checkpoint"); }

    /// The error that `action` ends with: kind and text.
    template <typename Action>
    std::string error_of(ErrorKind kind, Action&& action) {
        try {
            action();
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), kind) << error.what();
            return error.what();
        }
        ADD_FAILURE() << "no error";
        return {};
    }
    template <typename... Steps>
    std::string halt(const Steps&... steps) {
        const std::string text = error_of(ErrorKind::halted, [&] { feed(steps...); });
        sink_->rollback();
        return text;
    }

    std::string path_;
    StopSignal stop_;
    FollowerOptions options_;
    std::vector<TablePtr> tables_;
    std::vector<std::string> notes_;
    std::unique_ptr<Follower> follower_;
    std::unique_ptr<Sink> sink_;
};

inline testing::AssertionResult has(const std::string& text, const std::string& part) {
    if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
}
#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part))

}  // namespace rowferry::test
