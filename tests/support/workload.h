#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/support/database.h"

namespace rowferry::test {

struct WorkloadOptions {
    int keys = 200;        ///< Rows per table, about: operations pick from that many keys.
    bool keyless = false;  ///< PostgreSQL: also the table `trail` without a key, inserts only. SQLite always has one, fully used.
    bool determined = false;  ///< PostgreSQL: nothing that the statements' text does not say: no numbers of a sequence, no clock, no times without a zone.
    bool raw_text = false; ///< SQLite: also text that is not UTF-8 or holds NUL, and a column of mixed classes (no PostgreSQL follower).
};

/// Makes the tables of the workload and some hundred rows in each. PostgreSQL: items (all the types), docs (TOAST), pairs (composite
/// key), codes (second unique key), parents and children (foreign key), ledger. SQLite: the same in its own terms, with
/// pairs WITHOUT ROWID and notes without a key.
void create_workload(const Database& leader, const WorkloadOptions& options, std::uint64_t seed);

/// Only the tables, without a row.
void create_workload_tables(const Database& leader, const WorkloadOptions& options);

/// Random statements on those tables in the leader's dialect. One thread.
class Workload {
public:
    Workload(bool postgresql, const WorkloadOptions& options, std::uint64_t seed)
        : postgresql_{postgresql}, options_{options}, random_{seed} {}

    /// One operation: mostly one statement, a few when they belong together. May fail on a constraint.
    std::string operation();
    /// The inserts that fill the tables at the beginning.
    std::vector<std::string> fill();

    /// Uniform in [0, n).
    int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }

private:
    int key() { return below(options_.keys) + 1; }
    std::string item_insert(int id);
    std::string item_change();
    std::string doc_change();
    std::string pair_change();
    std::string code_change();
    std::string family_change();
    std::string keyless_change();
    std::string mixed_change();

    [[nodiscard]] std::string id_column() const { return options_.determined ? "id, " : ""; }
    std::string id_value();

    std::string boolean();
    std::string integer(int bits);
    std::string real(bool single);
    std::string numeric();
    std::string text(std::size_t most);
    std::string body();
    std::string blob();
    std::string date();
    std::string time();
    std::string timestamp(bool zoned);
    std::string uuid();
    std::string json();
    std::string maybe_null(std::string literal) { return chance(10) ? "NULL" : std::move(literal); }
    std::vector<std::string> item_values();

    bool postgresql_;
    WorkloadOptions options_;
    std::mt19937_64 random_;
};

}  // namespace rowferry::test
