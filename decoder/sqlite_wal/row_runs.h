#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "decoder/sqlite_wal/btree_page.h"
#include "decoder/sqlite_wal/tree_diff.h"

namespace rowferry {

/// A cell, by its place. Page 0: no row.
struct RowRef {
    std::uint32_t page = 0;
    std::uint16_t cell = 0;
    explicit operator bool() const noexcept { return page != 0; }
};

/// Cells [begin, end) of one page.
struct RowRun {
    std::int64_t first = 0;  ///< Rowid of the first; 0 in tables without.
    std::uint32_t page = 0;
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(end - begin); }
};

/// The rows of one side of a tree's delta.
using RowRuns = std::vector<RowRun>;

/// The rows of a tree's delta on both sides, in the order of their rowids. With `trim` what a page has at its beginning and its end on both sides is left
/// out: equal cells whose overflow pages nobody wrote. `by_rowid`: what the tree has to be. Throws DecodeError.
void find_runs(const TreeDiff& diff, std::uint32_t tree, const Database& before, const Database& after, bool before_by_rowid, bool after_by_rowid, bool trim,
               RowRuns& runs_before, RowRuns& runs_after);

[[nodiscard]] std::uint64_t count_rows(const RowRuns& runs) noexcept;

/// Reads the cells of runs one by one.
class RowCursor {
public:
    /// `by_rowid`: rowids have to ascend. Both must outlive the cursor.
    RowCursor(const Database& database, const RowRuns& runs, bool by_rowid) : database_{&database}, runs_{&runs}, by_rowid_{by_rowid} { load(); }
    RowCursor(const RowCursor&) = delete;
    RowCursor& operator=(const RowCursor&) = delete;

    [[nodiscard]] bool at_end() const noexcept { return run_ == runs_->size(); }
    [[nodiscard]] const BtreeCell& cell() const noexcept { return cell_; }
    [[nodiscard]] RowRef ref() const noexcept { return {(*runs_)[run_].page, static_cast<std::uint16_t>(index_)}; }
    void next() {
        ++index_;
        if (index_ == (*runs_)[run_].end) {
            ++run_;
            page_.reset();
        }
        load();
    }

private:
    void load();
    [[noreturn]] void fail_order() const;

    const Database* database_;
    const RowRuns* runs_;
    std::optional<BtreePage> page_;  // of bytes_
    std::vector<std::byte> bytes_;
    std::size_t run_ = 0;
    std::uint32_t index_ = 0;
    BtreeCell cell_;
    std::int64_t last_ = 0;
    bool by_rowid_;
    bool begun_ = false;
};

}  // namespace rowferry
