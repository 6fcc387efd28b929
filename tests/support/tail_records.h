#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/database.h"
#include "tests/support/rowferry_process.h"

namespace rowferry::test {

/// Lines of `tail --format json`. One that was cut off (the process was killed) is left out. Throws for any other line that is no JSON.
std::vector<nlohmann::json> parse_records(const std::string& text);
/// Only the changes: without the descriptions of tables.
std::vector<nlohmann::json> changes_of(const std::vector<nlohmann::json>& records);

/// `rowferry tail LEADER --format json options…` in the background.
std::unique_ptr<Rowferry> start_tail(const Database& leader, const std::vector<std::string>& options = {});
/// The same to its end with `--until current`.
RowferryResult tail_until_current(const Database& leader, const std::vector<std::string>& options = {});
/// Waits until the process has printed that many changes.
testing::AssertionResult prints(const Rowferry& process, std::size_t changes, std::chrono::milliseconds timeout = std::chrono::seconds{20});

/// Is every line what schemas/change_record.schema.json says? Asks a validator that knows nothing of rowferry.
testing::AssertionResult valid_records(const std::string& text);

}  // namespace rowferry::test
