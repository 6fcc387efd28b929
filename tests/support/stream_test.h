#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/compare.h"
#include "tests/support/database.h"
#include "tests/support/rowferry_process.h"

namespace rowferry::test {

/// Frees the shared servers' slots after each test.
class StreamTest : public ::testing::Test {
protected:
    void TearDown() override;
    /// To be called by tests that use PgCluster::shared_second().
    static void uses_second_cluster();
};

/// The exit code, and `reason` in stderr's last line.
[[nodiscard]] testing::AssertionResult ended(const RowferryResult& result, int exit_code, std::string_view reason = {});
/// The same for a process, which gets `timeout` to end.
[[nodiscard]] testing::AssertionResult ended(Rowferry& process, int exit_code, std::string_view reason = {},
                                             std::chrono::seconds timeout = std::chrono::seconds{30});

/// `rowferry COMMAND LEADER FOLLOWER options…` as arguments.
[[nodiscard]] std::vector<std::string> command(const std::string& name, const Database& leader, const Database& follower,
                                               const std::vector<std::string>& options = {});
/// `rowferry run LEADER FOLLOWER --until current options…` to its end.
RowferryResult run_until_current(const Database& leader, const Database& follower, const std::vector<std::string>& options = {});
/// `rowferry run LEADER FOLLOWER options…` in the background.
[[nodiscard]] std::unique_ptr<Rowferry> start_run(const Database& leader, const Database& follower,
                                                  const std::vector<std::string>& options = {});

/// Output of `rowferry positions LEADER [FOLLOWER] --json`. Throws when it fails.
nlohmann::json positions(const Database& leader, const Database* follower = nullptr, const std::string& stream = "default");

/// Waits until the follower's checkpoint says ready; gives rowferry's output when it does not or the process ended.
[[nodiscard]] testing::AssertionResult becomes_ready(Rowferry& process, const Database& follower,
                                                     std::chrono::seconds timeout = std::chrono::seconds{60});
/// Waits until `sql` on the follower gives `expected` while the process runs.
[[nodiscard]] testing::AssertionResult shows(Rowferry& process, const Database& follower, const std::string& sql, std::string_view expected,
                                             std::chrono::seconds timeout = std::chrono::seconds{20});

/// What rowferry keeps in a database, one line each: slots, publications, schema, helper tables, triggers. Empty: nothing was left behind.
std::vector<std::string> leftovers(const Database& database);

}  // namespace rowferry::test
