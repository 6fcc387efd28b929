#include "tests/support/stream_test.h"

#include <filesystem>
#include <stdexcept>
#include <thread>

namespace rowferry::test {
namespace {

bool second_used = false;

std::string tail(const std::string& text) { return text.size() > 4000 ? "… " + text.substr(text.size() - 4000) : text; }

}  // namespace

void StreamTest::TearDown() {
    if (PgCluster::shared().running()) PgCluster::shared().drop_all_slots();
    if (second_used && PgCluster::shared_second().running()) PgCluster::shared_second().drop_all_slots();
}

void StreamTest::uses_second_cluster() { second_used = true; }

testing::AssertionResult ended(const RowferryResult& result, int exit_code, std::string_view reason) {
    if (result.exit_code != exit_code) return testing::AssertionFailure() << "expected exit code " << exit_code << ", got " << result;
    if (result.last_line.find(reason) == std::string::npos)
        return testing::AssertionFailure() << "expected \"" << reason << "\" in the last line of stderr, got " << result;
    if (exit_code != 0 && result.last_line.empty()) return testing::AssertionFailure() << "a failure without a reason: " << result;
    return testing::AssertionSuccess();
}

testing::AssertionResult ended(Rowferry& process, int exit_code, std::string_view reason, std::chrono::seconds timeout) {
    const std::optional<int> code = process.wait(timeout);
    if (!code) return testing::AssertionFailure() << "still runs after " << timeout.count() << " s\n" << tail(process.err());
    return ended({.exit_code = *code, .out = process.out(), .err = process.err(), .last_line = process.last_line()}, exit_code, reason);
}

std::vector<std::string> command(const std::string& name, const Database& leader, const Database& follower,
                                 const std::vector<std::string>& options) {
    std::vector<std::string> arguments{name, leader.endpoint(), follower.endpoint()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return arguments;
}

RowferryResult run_until_current(const Database& leader, const Database& follower, const std::vector<std::string>& options) {
    std::vector<std::string> arguments = command("run", leader, follower, options);
    arguments.insert(arguments.end(), {"--until", "current"});
    return rowferry(arguments);
}

std::unique_ptr<Rowferry> start_run(const Database& leader, const Database& follower, const std::vector<std::string>& options) {
    return std::make_unique<Rowferry>(command("run", leader, follower, options));
}

nlohmann::json positions(const Database& leader, const Database* follower, const std::string& stream) {
    std::vector<std::string> arguments{"positions", leader.endpoint()};
    if (follower != nullptr) arguments.push_back(follower->endpoint());
    arguments.insert(arguments.end(), {"--json", "--stream", stream});
    const RowferryResult result = rowferry(arguments);
    if (result.exit_code != 0) throw std::runtime_error{"positions: " + result.err};
    return nlohmann::json::parse(result.out);
}

testing::AssertionResult becomes_ready(Rowferry& process, const Database& follower, std::chrono::seconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!follower.ready()) {
        if (!process.running()) return testing::AssertionFailure() << "ended with " << *process.wait() << "\n" << tail(process.err());
        if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "not ready in time\n" << tail(process.err());
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return testing::AssertionSuccess();
}

testing::AssertionResult shows(Rowferry& process, const Database& follower, const std::string& sql, std::string_view expected,
                               std::chrono::seconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        if (wait_for_value(follower, sql, expected, std::chrono::milliseconds{200})) return testing::AssertionSuccess();
        if (!process.running()) return testing::AssertionFailure() << "ended with " << *process.wait() << "\n" << tail(process.err());
        if (std::chrono::steady_clock::now() > deadline) {
            std::string got;
            try {
                got = follower.value(sql);
            } catch (const std::exception& error) {
                got = error.what();
            }
            return testing::AssertionFailure() << sql << " gives " << got << ", not " << expected << "\n" << tail(process.err());
        }
    }
}

std::vector<std::string> leftovers(const Database& database) {
    std::vector<std::string> found;
    if (database.is_postgresql()) {
        PgConnection connection{database.uri()};
        for (const PgRow& row : connection.query(
                 "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database() "
                 "UNION ALL SELECT 'publication ' || pubname FROM pg_publication "
                 "UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'rowferry%' "
                 "UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE relname LIKE 'rowferry%' AND relkind <> 'i' "
                 "UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE 'rowferry%' "
                 "UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger "
                 "UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'rowferry%' ORDER BY 1"))
            found.push_back(row[0].value());
    } else if (std::filesystem::exists(database.path())) {
        SqliteDb db{database.path()};
        for (const SqliteRow& row : db.query("SELECT type || ' ' || name FROM sqlite_master WHERE name LIKE 'rowferry%' ORDER BY 1"))
            found.push_back(std::get<std::string>(row[0]));
    }
    return found;
}

}  // namespace rowferry::test
