#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "decoder/sqlite_wal/row_image.h"
#include "decoder/sqlite_wal/row_pairs.h"
#include "decoder/sqlite_wal/tree_diff.h"
#include "schemas/batch.h"

namespace rowferry {

/// How a table's rows before a commit compare with those behind it.
struct TableShapes {
    const RowLayout* before = nullptr;  ///< Null: the table was not there, or not followed.
    const RowLayout* after = nullptr;
    std::vector<int> from;              ///< For each column behind the column before that it was; -1: none.
    bool same_records = true;           ///< Equal records are equal rows.
    std::vector<bool> unique;           ///< Columns behind that belong to a unique key.
    bool identified = true;             ///< Rows have a key, be it the rowid or another one.
    bool hidden_unique = false;         ///< A unique index that is partial or over expressions: any column may belong to it.
};

/// For each column of `after` which one of `before` it was, by ColumnSchema::attribute.
[[nodiscard]] std::vector<int> columns_from(const TableSchema& before, const TableSchema& after);
/// Would a record read by either layout give the same row, seen with the columns of `after`?
[[nodiscard]] bool same_records(const RowLayout& before, const RowLayout& after, std::span<const int> from);

/// The row changes of one table in one commit, in three phases: all removes, all updates, all inserts; see CommitDecoder for the rules. Rows are pages and
/// cell numbers until they are handed out. As many changes as the limits allow are remembered; with more of them each phase goes through the pages again.
class TableDiff {
public:
    explicit TableDiff(const DecodeLimits& limits) : limits_{limits} {}

    /// Looks at all rows of the tree's delta and counts. Everything must live until the last next().
    void begin(const TreeDiff& diff, std::uint32_t tree, const Database& before, const Database& after, const TableShapes& shapes);

    /// The next change of a phase; false: there is no further one of it. Phases are asked for in order. `before` has the old shape in a remove, the new one in
    /// an update. Images live until the next call.
    struct RowChange {
        std::span<const Cell> before;
        std::span<const Cell> after;
    };
    [[nodiscard]] bool next(Operation phase, RowChange& change);

    /// The rows behind, for what has to be noted of them.
    [[nodiscard]] const RowRuns& runs_after() const noexcept { return after_.runs; }

private:
    struct Found {
        RowRef before;
        RowRef after;
        bool key_changed = false;
    };
    [[nodiscard]] bool scan(Found& found);
    [[nodiscard]] bool take(Found& found);
    void rewind();
    [[nodiscard]] bool surely_same(const RowPair& pair) const;
    [[nodiscard]] bool differ(const RowPair& pair, bool& key_changed);
    [[nodiscard]] std::span<const Cell> image_before(RowRef ref) { return was_.decode(before_, ref); }
    [[nodiscard]] std::span<const Cell> image_before_reshaped(RowRef ref);
    [[nodiscard]] Operation operation_of(const Found& found) const noexcept;

    struct Candidate {
        std::uint64_t hash;
        std::uint64_t number;  // of the found row
        RowRef ref;
    };
    [[nodiscard]] bool may_have_come_again() const noexcept;
    [[nodiscard]] bool same_sequence();
    void cancel_equal_rows();
    void cancel_part(std::uint64_t part, std::uint64_t parts);
    void match(std::span<const Candidate> before, std::span<const Candidate> after);

    DecodeLimits limits_;
    const TreeDiff* diff_ = nullptr;
    const TableShapes* shapes_ = nullptr;
    DeltaSide before_;
    DeltaSide after_;
    std::optional<RowPairs> pairs_;
    RowImage was_;
    RowImage is_;

    std::vector<Found> found_;       // all of them, when all_found_
    bool all_found_ = false;
    std::uint64_t number_ = 0;       // of the found row that is taken next
    std::uint64_t removed_ = 0;
    std::uint64_t updated_ = 0;
    std::uint64_t inserted_ = 0;
    std::uint64_t key_changes_ = 0;
    std::vector<bool> gone_before_;  // rows that came again, by the number of what was found; empty: none
    std::vector<bool> gone_after_;
    std::optional<Operation> phase_;
};

}  // namespace rowferry
