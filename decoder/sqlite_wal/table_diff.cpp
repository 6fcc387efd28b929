#include "decoder/sqlite_wal/table_diff.h"

#include <algorithm>
#include <cstring>

#include "schemas/shape_diff.h"

namespace rowferry {
namespace {

constexpr std::size_t kFewFound = 100'000;  // room for them is kept from one commit to the next

const RowLayout& nothing() {
    static const RowLayout kNothing{"", {}, {}, 0, TextEncoding::utf8};
    return kNothing;
}

}  // namespace

std::vector<int> columns_from(const TableSchema& before, const TableSchema& after) {
    std::vector<int> from(after.columns.size(), -1);
    for (std::uint16_t i = 0; i < before.columns.size(); ++i)
        if (const auto column = same_column(before, i, after)) from[*column] = i;
    return from;
}

bool same_records(const RowLayout& before, const RowLayout& after, std::span<const int> from) {
    if (before.key_width() != after.key_width()) return false;
    for (std::size_t place = 0; place < after.stored().size(); ++place) {
        const std::size_t column = after.stored()[place];
        if (place >= before.stored().size()) {
            if (from[column] >= 0) return false;
            continue;
        }
        const std::size_t was = before.stored()[place];
        if (from[column] != static_cast<int>(was)) return false;
        if (before.columns()[was].rowid != after.columns()[column].rowid || before.columns()[was].real != after.columns()[column].real) return false;
    }
    return before.stored().size() <= after.stored().size();
}

void TableDiff::begin(const TreeDiff& diff, std::uint32_t tree, const Database& before, const Database& after, const TableShapes& shapes) {
    diff_ = &diff;
    shapes_ = &shapes;
    before_.database = &before;
    before_.layout = shapes.before != nullptr ? shapes.before : shapes.after != nullptr ? shapes.after : &nothing();
    after_.database = &after;
    after_.layout = shapes.after != nullptr ? shapes.after : before_.layout;
    find_runs(diff, tree, before, after, before_.layout->key_width() == 0, after_.layout->key_width() == 0, shapes.same_records, before_.runs, after_.runs);
    found_.clear();
    if (found_.capacity() > kFewFound) found_.shrink_to_fit();
    all_found_ = false;
    gone_before_.clear();
    gone_after_.clear();
    removed_ = updated_ = inserted_ = key_changes_ = 0;
    phase_.reset();

    rewind();
    bool fits = true;
    for (Found found; scan(found);) {
        ++(found.before && found.after ? updated_ : found.before ? removed_ : inserted_);
        if (found.key_changed) ++key_changes_;
        if (fits && found_.size() == limits_.changes) {
            fits = false;
            found_ = {};
        }
        if (fits) found_.push_back(found);
    }
    all_found_ = fits;
    if (may_have_come_again()) cancel_equal_rows();
}

/// Without a name for it the rowid is nothing that a follower has, and VACUUM may give every row another one.
bool TableDiff::may_have_come_again() const noexcept {
    if (before_.layout->key_width() != 0 || after_.layout->key_width() != 0 || before_.layout->names_rowid() || after_.layout->names_rowid()) return false;
    if (removed_ > 0 && inserted_ > 0) return true;
    // Two updates may have made of each row what the other one was. Where no key tells it is too rare to look for it among very many.
    const std::uint64_t both = shapes_->identified || !all_found_ ? key_changes_ : updated_;
    return removed_ + both > 0 && inserted_ + both > 0 && removed_ + inserted_ + both > 1;
}

void TableDiff::rewind() {
    number_ = 0;
    if (!all_found_) pairs_.emplace(before_, after_, limits_);
}

bool TableDiff::take(Found& found) {
    if (!all_found_) {
        if (!scan(found)) return false;
    } else {
        if (number_ == found_.size()) return false;
        found = found_[number_];
    }
    ++number_;
    return true;
}

bool TableDiff::scan(Found& found) {
    RowPair pair;
    while (pairs_->next(pair)) {
        found = {pair.before, pair.after, false};
        if (!pair.before || !pair.after || differ(pair, found.key_changed)) return true;
    }
    return false;
}

/// Equal bytes on both sides, and nothing written behind them.
bool TableDiff::surely_same(const RowPair& pair) const {
    if (!shapes_->same_records) return false;
    const BtreeCell was = before_.database->page(pair.before.page).cell(pair.before.cell);
    if (!after_.database->page(pair.after.page).cell_is(pair.after.cell, was.bytes)) return false;
    if (was.overflow == 0 || !diff_->overflow_changed(pair.before.page)) return true;
    bool same = true;
    before_.database->overflow(was, pair.before.page, [&](std::uint32_t page, std::span<const std::byte>) { same = same && !diff_->is_changed(page); });
    return same;
}

std::span<const Cell> TableDiff::image_before_reshaped(RowRef ref) {
    const std::span<const Cell> image = was_.decode(before_, ref);
    return shapes_->before == shapes_->after || shapes_->from.empty() ? image : was_.reshaped(shapes_->from, *after_.layout);
}

bool TableDiff::differ(const RowPair& pair, bool& key_changed) {
    if (surely_same(pair)) return false;
    const std::span<const Cell> was = image_before_reshaped(pair.before);
    const std::span<const Cell> is = is_.decode(after_, pair.after);
    bool same = true;
    for (std::size_t i = 0; i < is.size(); ++i) {
        if (same_value(was[i], is[i])) continue;
        same = false;
        if (shapes_->hidden_unique || shapes_->unique[i]) key_changed = true;
    }
    return !same;
}

Operation TableDiff::operation_of(const Found& found) const noexcept {
    return found.before && found.after ? Operation::update : found.before ? Operation::remove : Operation::insert;
}

bool TableDiff::next(Operation phase, RowChange& change) {
    if (phase_ != phase) {
        phase_ = phase;
        rewind();
    }
    const bool split = key_changes_ > 1;
    const bool some = phase == Operation::update ? updated_ > 0 : split || !gone_before_.empty() || (phase == Operation::remove ? removed_ : inserted_) > 0;
    if (!some) return false;
    for (Found found; take(found);) {
        if (!gone_before_.empty()) {
            if (gone_before_[number_ - 1]) found.before = {};
            if (gone_after_[number_ - 1]) found.after = {};
            if (!found.before && !found.after) continue;
        }
        const Operation operation = operation_of(found);
        const bool as_two = operation == Operation::update && found.key_changed && split;
        if (as_two ? phase == Operation::update : operation != phase) continue;
        change = {};
        if (phase == Operation::remove) change.before = image_before(found.before);
        if (phase == Operation::update) change.before = image_before_reshaped(found.before);
        if (phase != Operation::remove) change.after = is_.decode(after_, found.after);
        return true;
    }
    return false;
}

/// VACUUM numbers rows anew and keeps their order.
bool TableDiff::same_sequence() {
    if (count_rows(before_.runs) != count_rows(after_.runs)) return false;
    RowCursor was{*before_.database, before_.runs, true};
    RowCursor is{*after_.database, after_.runs, true};
    for (; !was.at_end(); was.next(), is.next())
        if (!same_values(image_before_reshaped(was.ref()), is_.decode(after_, is.ref()))) return false;
    return true;
}

/// Rows that are on both sides with the same values, as often as they are there.
void TableDiff::cancel_equal_rows() {
    const std::uint64_t found = removed_ + updated_ + inserted_;
    gone_before_.assign(found, false);
    gone_after_.assign(found, false);
    if (removed_ == inserted_ && same_sequence()) {
        gone_before_.assign(found, true);
        gone_after_.assign(found, true);
        return;
    }
    const std::uint64_t parts = 1 + (removed_ + 2 * updated_ + inserted_) / limits_.candidates;
    for (std::uint64_t part = 0; part < parts; ++part) cancel_part(part, parts);
}

void TableDiff::cancel_part(std::uint64_t part, std::uint64_t parts) {
    std::vector<Candidate> before;
    std::vector<Candidate> after;
    before.reserve(static_cast<std::size_t>((removed_ + updated_) / parts * 17 / 16 + 64));
    after.reserve(static_cast<std::size_t>((inserted_ + updated_) / parts * 17 / 16 + 64));
    rewind();
    const auto consider = [&](std::vector<Candidate>& candidates, std::uint64_t hash, RowRef ref) {
        if ((hash >> 32) % parts == part) candidates.push_back({hash, number_ - 1, ref});
    };
    for (Found found; take(found);) {
        if (found.before) consider(before, hash_values(image_before_reshaped(found.before)), found.before);
        if (found.after) consider(after, hash_values(is_.decode(after_, found.after)), found.after);
    }
    const auto order = [](const Candidate& left, const Candidate& right) { return left.hash != right.hash ? left.hash < right.hash : left.number < right.number; };
    std::sort(before.begin(), before.end(), order);
    std::sort(after.begin(), after.end(), order);
    match(before, after);
}

void TableDiff::match(std::span<const Candidate> before, std::span<const Candidate> after) {
    for (std::size_t b = 0, a = 0; b < before.size() && a < after.size();) {
        if (before[b].hash != after[a].hash) {
            ++(before[b].hash < after[a].hash ? b : a);
            continue;
        }
        // Different rows with the same hash stay what they are.
        if (same_values(image_before_reshaped(before[b].ref), is_.decode(after_, after[a].ref))) {
            gone_before_[before[b].number] = true;
            gone_after_[after[a].number] = true;
        }
        ++b;
        ++a;
    }
}

}  // namespace rowferry
