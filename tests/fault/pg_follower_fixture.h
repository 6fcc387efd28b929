#pragma once

// A PostgreSQL follower against a real server, fed with hand-made events.

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "applier/postgresql/pg_follower.h"
#include "schemas/error.h"
#include "tests/support/errors.h"
#include "tests/support/event_builder.h"
#include "tests/support/pg_cluster.h"

namespace rowferry {

class PgFollowerTest : public ::testing::Test {
protected:
    PgFollowerTest() : cluster_{test::PgCluster::shared()}, database_{cluster_.new_database()} {}

    [[nodiscard]] std::unique_ptr<Follower> connect(const std::string& user = "postgres") const {
        auto follower = make_pg_follower(PgConninfo{cluster_.uri(database_, user)}, stop_);
        follower->open(true);
        return follower;
    }

    Checkpoint checkpoint(const std::vector<TablePtr>& tables, std::uint64_t position) const {
        Checkpoint result;
        result.stream = "default";
        result.follower_id = "f1";
        result.leader = {Engine::postgresql, "7", 1, "shop"};
        result.position = result.acked = {position, 0};
        result.resume = std::string{"a\0b", 3};
        for (const TablePtr& table : tables) result.tables.push_back({table->name, {position, 0}, *table});
        return result;
    }

    /// Copies `tables` with the rows of `rows` (all of the first table), ready at position 100.
    void copy(Follower& follower, const std::vector<TablePtr>& tables, const test::Events& rows = {}) {
        const Checkpoint initial = checkpoint(tables, 100);
        static_cast<void>(follower.check_tables(tables, {}, nullptr));
        follower.start_copy(initial, tables, {});
        for (const TablePtr& table : tables) {
            const auto target = follower.copy_into(table);
            if (table == tables.front() && !rows.get().empty()) target->write(rows.get());
            target->finish();
        }
        follower.finish_copy(initial, tables);
    }

    std::unique_ptr<Sink> sink(Follower& follower) { return follower.open_sink(*follower.load_checkpoint("default"), {}); }

    static void advance(Sink& sink, std::uint64_t position) {
        CheckpointAdvance to;
        to.position = {position, 0};
        to.resume = "r";
        to.commit_time_us = 5;
        sink.commit(to);
    }

    [[nodiscard]] std::string rows(const std::string& table, const std::string& order = "1") const {
        std::string text;
        for (const auto& line :
             test::PgConnection{cluster_.uri(database_)}.copy_out("COPY (SELECT * FROM " + table + " ORDER BY " + order + ") TO STDOUT")) {
            if (!text.empty()) text += '\n';
            for (const char c : line) text += c == '\t' ? '|' : c;
        }
        return text;
    }
    void exec(const std::string& sql) const { cluster_.exec(database_, sql); }
    [[nodiscard]] std::string value(const std::string& sql) const { return cluster_.value(database_, sql); }
    [[nodiscard]] std::string position() const { return value("SELECT position || ' ' || acked FROM rowferry.checkpoint"); }

    /// A role that may do everything here but set session_replication_role.
    void make_plain_role() const {
        if (cluster_.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'plain'") == "0")
            cluster_.exec("postgres", "CREATE ROLE plain LOGIN");
        exec("GRANT CREATE ON DATABASE " + database_ + " TO plain; GRANT ALL ON SCHEMA public TO plain");
    }

    test::PgCluster& cluster_;
    std::string database_;
    StopSignal stop_;
    const TablePtr users_ = test::share(test::pg_table("users", {{"id", "integer", true}, {"name", "text"}}, {0}));
};

}  // namespace rowferry
