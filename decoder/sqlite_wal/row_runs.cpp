#include "decoder/sqlite_wal/row_runs.h"

#include <algorithm>

namespace rowferry {
namespace {

void check_kind(const BtreePage& page, bool by_rowid) {
    if (page.is_table() != by_rowid) fail_page(page.number(), "is of another kind than its table");
}

void add_run(RowRuns& runs, const BtreePage& page, std::uint32_t begin, std::uint32_t end) {
    if (begin == end) return;
    const std::int64_t first = page.kind() == PageKind::table_leaf ? page.rowid(begin) : 0;
    runs.push_back({first, page.number(), static_cast<std::uint16_t>(begin), static_cast<std::uint16_t>(end)});
}

/// Adds what differs between the cells of one page before and after.
void add_trimmed(const BtreePage& was, const BtreePage& is, bool overflow_changed, RowRuns& runs_before, RowRuns& runs_after) {
    std::uint32_t begin = 0;
    std::uint32_t end_before = was.cell_count();
    std::uint32_t end_after = is.cell_count();
    const auto same = [&](std::uint32_t before, std::uint32_t after) {
        const BtreeCell cell = was.cell(before);
        return (cell.overflow == 0 || !overflow_changed) && is.cell_is(after, cell.bytes);
    };
    while (begin < end_before && begin < end_after && same(begin, begin)) ++begin;
    while (end_before > begin && end_after > begin && same(end_before - 1, end_after - 1)) {
        --end_before;
        --end_after;
    }
    add_run(runs_before, was, begin, end_before);
    add_run(runs_after, is, begin, end_after);
}

void sort_runs(RowRuns& runs) {
    const auto order = [](const RowRun& left, const RowRun& right) { return left.first < right.first; };
    if (!std::is_sorted(runs.begin(), runs.end(), order)) std::sort(runs.begin(), runs.end(), order);
}

}  // namespace

void find_runs(const TreeDiff& diff, std::uint32_t tree, const Database& before, const Database& after, bool before_by_rowid, bool after_by_rowid, bool trim,
               RowRuns& runs_before, RowRuns& runs_after) {
    const TreeDelta& delta = diff.deltas()[tree];
    runs_before.clear();
    runs_after.clear();
    const auto trimmed = [&](std::uint32_t number) { return trim && diff.in_before(number, tree) && diff.in_after(number, tree); };
    for (const std::uint32_t number : delta.before) {
        const BtreePage was = before.page(number);
        check_kind(was, before_by_rowid);
        if (trimmed(number)) {
            const BtreePage is = after.page(number);
            check_kind(is, after_by_rowid);
            if (was.kind() == is.kind()) {
                if (was.has_rows()) add_trimmed(was, is, diff.overflow_changed(number), runs_before, runs_after);
                continue;
            }
            if (is.has_rows()) add_run(runs_after, is, 0, is.cell_count());
        }
        if (was.has_rows()) add_run(runs_before, was, 0, was.cell_count());
    }
    for (const std::uint32_t number : delta.after) {
        if (trimmed(number)) continue;
        const BtreePage is = after.page(number);
        check_kind(is, after_by_rowid);
        if (is.has_rows()) add_run(runs_after, is, 0, is.cell_count());
    }
    sort_runs(runs_before);
    sort_runs(runs_after);
}

std::uint64_t count_rows(const RowRuns& runs) noexcept {
    std::uint64_t count = 0;
    for (const RowRun& run : runs) count += run.size();
    return count;
}

void RowCursor::load() {
    if (at_end()) return;
    const RowRun& run = (*runs_)[run_];
    if (!page_) {
        page_ = database_->held_page(run.page, bytes_);
        index_ = run.begin;
    }
    cell_ = page_->cell(index_);
    if (!by_rowid_) return;
    if (begun_ && cell_.rowid <= last_) fail_order();
    begun_ = true;
    last_ = cell_.rowid;
}

void RowCursor::fail_order() const { fail_page((*runs_)[run_].page, "its rowids do not ascend, or another page of the table has the same"); }

}  // namespace rowferry
