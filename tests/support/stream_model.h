#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/database.h"

namespace rowferry::test {

/// A follower made of nothing but what `tail --format json` printed since all tables were empty. Takes whole transactions, and says what
/// in them cannot be: a row that is inserted twice, or changed and not there. Knows JSON and SQL literals, and nothing of rowferry's code.
class StreamModel {
public:
    /// The changes of one transaction, in order.
    testing::AssertionResult apply(const std::vector<nlohmann::json>& transaction);

    [[nodiscard]] std::size_t transactions() const { return transactions_; }
    [[nodiscard]] std::size_t changes() const { return changes_; }

    /// Writes all rows into a database of the same engine that has the leader's tables, and empty ones.
    void write_to(const Database& copy) const;

private:
    using Row = nlohmann::json;
    /// By key, as text; of several with one key, which can only be for a moment, the oldest first.
    using Table = std::map<std::string, std::deque<Row>>;

    testing::AssertionResult change(const nlohmann::json& record);
    testing::AssertionResult check_order(const std::vector<nlohmann::json>& transaction);

    using Name = std::pair<std::string, std::string>;

    std::map<Name, Table> tables_;
    std::set<std::pair<Name, std::string>> touched_;  ///< Keys, by the present transaction.
    std::string leader_;
    std::string position_;
    std::size_t transactions_ = 0;
    std::size_t changes_ = 0;
};

}  // namespace rowferry::test
