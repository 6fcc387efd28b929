// One contract for every way to read a leader. A random history (all operations, key changes and swaps, several tables, savepoints and rollbacks,
// large values, a large transaction, concurrent writers, names nobody would choose) runs on the leader; whoever reads it is killed at random
// moments. Then the stream, as `tail` printed it, must have been whole transactions in commit order with nothing lost or doubled, what it says must
// come to exactly the leader's rows, followers on both engines must have them too, and `drop` must leave nothing behind.
//
// ROWFERRY_KILLS sets how many kills there are for each source (default 3, with ROWFERRY_LONG 100 and larger histories), ROWFERRY_SEED repeats a run. A new source is a
// line in kSources.

#include <signal.h>

#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include "tests/support/history.h"
#include "tests/support/random_schema.h"
#include "tests/support/stream_model.h"
#include "tests/support/stream_test.h"
#include "tests/support/tail_records.h"
#include "tests/support/temp_dir.h"
#include "tests/support/writer.h"

namespace rowferry::test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

struct SourceUnderTest {
    const char* name;
    bool postgresql;
    std::vector<std::string> options;
    bool merges = false;  ///< It cannot tell neighbouring transactions apart (docs/capture.md).
};
std::ostream& operator<<(std::ostream& out, const SourceUnderTest& source) { return out << source.name; }

const SourceUnderTest kSources[] = {
    {"postgresql_logical", true, {"--capture", "logical", "--keyless", "full"}},
    {"postgresql_triggers", true, {"--capture", "triggers", "--keyless", "full"}, true},
    {"sqlite_triggers", false, {"--capture", "triggers", "--exact-replace"}, true},
    {"sqlite_logical", false, {"--capture", "logical"}, true},  // what happened while it was away is one transaction
};

bool is_long() { return std::getenv("ROWFERRY_LONG") != nullptr; }

int kills() {
    if (const char* given = std::getenv("ROWFERRY_KILLS")) return std::stoi(given);
    return is_long() ? 100 : 3;
}
/// Transactions per second and session.
double rate(bool postgresql) {
    if (!postgresql) return is_long() ? 40 : 30;
    return is_long() ? 120 : 50;
}

/// A reader of `tail --format json` that keeps whole transactions, and at each start says how far it has come.
class Listener {
public:
    Listener(const Database& leader, std::vector<std::string> options) : leader_{leader}, options_{std::move(options)} {
        const std::string state = (new_temp_dir("state") / "state.db").string();
        options_.insert(options_.end(), {"--stream", "heard", "--state", state, "--spool-memory", "1MB"});
        state_ = "sqlite:" + state;
    }

    void start() { process_ = start_tail(leader_, now()); }
    [[nodiscard]] Rowferry& process() { return *process_; }
    void kill() {
        process_->kill(SIGKILL);
        process_->wait();
        keep(process_->out());
        process_.reset();
    }
    /// To what is committed now.
    testing::AssertionResult catch_up() {
        const RowferryResult result = tail_until_current(leader_, now());
        keep(result.out);
        return ended(result, 0);
    }
    testing::AssertionResult drop() { return ended(rowferry({"drop", leader_.endpoint(), state_, "--stream", "heard"}), 0); }

    [[nodiscard]] const std::vector<std::vector<json>>& transactions() const { return transactions_; }
    [[nodiscard]] const std::string& lines() const { return lines_; }

private:
    [[nodiscard]] std::vector<std::string> now() const {
        std::vector<std::string> options = options_;
        if (!reached_.empty()) options.insert(options.end(), {"--from", reached_});
        return options;
    }
    void keep(const std::string& out) {
        lines_ += out.substr(0, out.rfind('\n') + 1);
        std::vector<json> open;
        for (json& record : changes_of(parse_records(out))) {
            const bool last = record.at("last").get<bool>();
            open.push_back(std::move(record));
            if (!last) continue;
            reached_ = open.back().at("transaction").at("position").get<std::string>();
            transactions_.push_back(std::exchange(open, {}));
        }
    }

    const Database& leader_;
    std::vector<std::string> options_;
    std::string state_;
    std::string reached_;
    std::string lines_;
    std::vector<std::vector<json>> transactions_;
    std::unique_ptr<Rowferry> process_;
};

/// A `rowferry run` to a follower.
class Copier {
public:
    Copier(const Database& leader, Database follower, std::vector<std::string> options, const std::string& stream)
        : leader_{leader}, follower_{std::move(follower)}, options_{std::move(options)} {
        options_.insert(options_.end(), {"--stream", stream});
    }
    void start() { process_ = start_run(leader_, follower_, options_); }
    void kill() {
        process_->kill(SIGKILL);
        process_->wait();
        process_.reset();
    }
    [[nodiscard]] Rowferry& process() { return *process_; }
    testing::AssertionResult catch_up() { return ended(run_until_current(leader_, follower_, options_), 0); }
    testing::AssertionResult drop() { return ended(rowferry(command("drop", leader_, follower_, {options_.end() - 2, options_.end()})), 0); }
    [[nodiscard]] const Database& follower() const { return follower_; }

private:
    const Database& leader_;
    Database follower_;
    std::vector<std::string> options_;
    std::unique_ptr<Rowferry> process_;
};

class ConformanceTest : public StreamTest, public ::testing::WithParamInterface<SourceUnderTest> {
protected:
    static Database database(bool postgresql, const std::string& name) {
        if (postgresql) return Database::postgresql(PgCluster::shared(), name);
        Database file = Database::sqlite(name);
        file.exec("PRAGMA journal_mode = wal");
        return file;
    }
};

/// Each transaction of the writers began and ended in the same transaction of the stream, and they come in the order in which they committed.
testing::AssertionResult in_commit_order(const std::vector<std::vector<json>>& transactions, bool may_merge) {
    std::int64_t number = 0;
    for (const auto& transaction : transactions) {
        std::vector<std::string> begun;
        std::vector<std::string> ended;
        for (const json& record : transaction) {
            if (record.at("operation") != "insert") continue;
            const json& table = record.at("table").at("name");
            if (table == "begun") begun.push_back(record.at("after").at("token"));
            if (table != "ticks") continue;
            ended.push_back(record.at("after").at("token"));
            if (record.at("after").at("n") != ++number) return testing::AssertionFailure() << "expected commit " << number << ": " << record;
        }
        std::ranges::sort(begun);
        std::ranges::sort(ended);
        if (begun != ended) return testing::AssertionFailure() << "not whole: " << json{begun} << " began, " << json{ended} << " ended, in " << transaction.front();
        const bool merged = transaction.front().at("transaction").at("merged").get<bool>();
        if (ended.size() > 1 && !(merged && may_merge)) return testing::AssertionFailure() << ended.size() << " transactions in one: " << transaction.front();
    }
    return testing::AssertionSuccess() << number << " commits";
}

TEST_P(ConformanceTest, WholeTransactionsInOrderNothingLostOrDoubled) {
    const SourceUnderTest& source = GetParam();
    const Database leader = database(source.postgresql, "leader");
    const Database told = database(source.postgresql, "told");
    const WorkloadOptions workload{.keys = is_long() ? 150 : 80, .keyless = source.postgresql};
    for (const Database& each : {leader, told}) create_workload_tables(each, workload);
    Writer writer{leader, {.workload = workload, .threads = source.postgresql ? 3 : 2, .rate = rate(source.postgresql), .ticks = true}};
    told.exec("CREATE TABLE begun (token VARCHAR(100) PRIMARY KEY NOT NULL); CREATE TABLE ticks (n INTEGER PRIMARY KEY, token VARCHAR(100) NOT NULL);"
              "CREATE TABLE clock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)");
    Random random{writer.seed()};
    Random for_schema = random.fork();
    const SchemaLimits limits{.tables = is_long() ? 6 : 4, .postgresql_follower = true, .sqlite_follower = true};
    const RandomSchema odd = source.postgresql ? random_pg_schema(limits, for_schema) : random_sqlite_schema(limits, for_schema);
    std::vector<TableShape> shapes = create(leader, odd);
    std::erase_if(shapes, [&](const TableShape& shape) { return !odd.of_table.contains(shape.name); });
    History history{leader, std::move(shapes), {}, random.fork()};
    static_cast<void>(create(told, odd));
    leader.exec("DELETE FROM clock");  // what is told begins with nothing

    Listener listener{leader, source.options};
    ASSERT_TRUE(listener.catch_up());
    leader.exec("INSERT INTO clock VALUES (1, 0)");
    Workload filling{source.postgresql, workload, writer.seed()};
    std::string rows = "BEGIN;";
    for (const std::string& statement : filling.fill()) rows += statement + ";";
    leader.exec(rows + "COMMIT");
    history.run(3);
    insert_witnesses(leader, odd);

    std::vector<std::unique_ptr<Copier>> copiers;
    for (const bool postgresql : {true, false}) {
        copiers.push_back(std::make_unique<Copier>(leader, database(postgresql, "follower"), source.options, postgresql ? "to_pg" : "to_sqlite"));
        ASSERT_TRUE(copiers.back()->catch_up());
    }

    writer.start();
    listener.start();
    for (const auto& copier : copiers) copier->start();
    for (int killed = 0; killed < kills(); ++killed) {
        history.run(2);
        std::this_thread::sleep_for(milliseconds{random.below(200)});
        const bool large = killed == kills() / 2;
        const int victim = large ? 0 : random.below(4);  // most often the one that is told everything
        if (victim < 2) {
            ASSERT_TRUE(listener.process().running()) << listener.process().err();
            listener.kill();
            if (large)  // a transaction that does not fit into what may wait in memory
                leader.exec(fmt::format("INSERT INTO docs (id, rev, body) WITH RECURSIVE g(i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM g WHERE i < 101000) SELECT i, 0, '{}' FROM g",
                                        std::string(1500, 'x')));
            listener.start();
        } else {
            Copier& copier = *copiers[static_cast<std::size_t>(victim - 2)];
            ASSERT_TRUE(copier.process().running()) << copier.process().err();
            copier.kill();
            copier.start();
        }
    }
    writer.stop();
    EXPECT_LT(listener.process().peak_memory(), 120'000'000U);
    listener.kill();
    for (const auto& copier : copiers) copier->kill();

    ASSERT_TRUE(listener.catch_up());
    EXPECT_TRUE(valid_records(listener.lines()));
    StreamModel model;
    for (const auto& transaction : listener.transactions()) ASSERT_TRUE(model.apply(transaction));
    const testing::AssertionResult order = in_commit_order(listener.transactions(), source.merges);
    EXPECT_TRUE(order);
    model.write_to(told);
    EXPECT_TRUE(same_rows(leader, told));
    EXPECT_TRUE(writer.ledgers_agree(told));
    for (const auto& copier : copiers) {
        ASSERT_TRUE(copier->catch_up());
        EXPECT_TRUE(same_rows(leader, copier->follower()));
    }
    fmt::print("{}: {} kills, {} changes in {} transactions, {}\n", source.name, kills(), model.changes(), model.transactions(), order.message());

    EXPECT_TRUE(listener.drop());
    for (const auto& copier : copiers) EXPECT_TRUE(copier->drop());
    EXPECT_EQ(leftovers(leader), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Sources, ConformanceTest, ::testing::ValuesIn(kSources), [](const auto& info) { return std::string{info.param.name}; });

}  // namespace
}  // namespace rowferry::test
