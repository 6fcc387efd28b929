#include "decoder/sqlite_wal/row_pairs.h"

#include <algorithm>
#include <tuple>

namespace rowferry {
RowPairs::RowPairs(const DeltaSide& before, const DeltaSide& after, const DecodeLimits& limits)
    : before_{&before},
      after_{&after},
      by_rowid_{before.layout->key_width() == 0 && after.layout->key_width() == 0},
      one_sided_{before.runs.empty() || after.runs.empty()} {
    if (by_rowid_ || one_sided_) {
        cursor_before_.emplace(*before.database, before.runs, by_rowid_);
        cursor_after_.emplace(*after.database, after.runs, by_rowid_);
    } else {
        parts_ = 1 + (count_rows(before.runs) + count_rows(after.runs)) / limits.keys;
    }
}

bool RowPairs::next(RowPair& pair) { return by_rowid_ || one_sided_ ? next_in_order(pair) : next_by_key(pair); }

bool RowPairs::next_in_order(RowPair& pair) {
    RowCursor& before = *cursor_before_;
    RowCursor& after = *cursor_after_;
    if (before.at_end() && after.at_end()) return false;
    const bool take_before = !before.at_end() && (after.at_end() || before.cell().rowid <= after.cell().rowid);
    const bool take_after = !after.at_end() && (before.at_end() || after.cell().rowid <= before.cell().rowid);
    pair = {};
    if (take_before) {
        pair.before = before.ref();
        before.next();
    }
    if (take_after) {
        pair.after = after.ref();
        after.next();
    }
    return true;
}

std::span<const Cell> RowPairs::key_of(const DeltaSide& side, const BtreeCell& cell, std::uint32_t page, std::vector<std::byte>& buffer, std::vector<Cell>& cells) const {
    const std::size_t width = side.layout->key_width();
    cells.resize(std::max<std::size_t>(width, 1));
    if (width == 0)
        cells[0] = Cell::integer(cell.rowid);
    else
        side.layout->decode_key(whole_payload(*side.database, cell, page, buffer), page, cells);
    return cells;
}

std::span<const Cell> RowPairs::key_of(const DeltaSide& side, RowRef ref, std::vector<std::byte>& buffer, std::vector<Cell>& cells) const {
    return key_of(side, side.database->page(ref.page).cell(ref.cell), ref.page, buffer, cells);
}

bool RowPairs::same_key(RowRef before, RowRef after) {
    return same_values(key_of(*before_, before, buffer_before_, key_before_), key_of(*after_, after, buffer_after_, key_after_));
}

void RowPairs::load_entries(const DeltaSide& side, std::vector<Entry>& entries) {
    entries.clear();
    entries.reserve(static_cast<std::size_t>(count_rows(side.runs) / parts_ * 17 / 16 + 64));  // growing would take twice as much
    for (RowCursor cursor{*side.database, side.runs, false}; !cursor.at_end(); cursor.next()) {
        const std::uint64_t hash = hash_values(key_of(side, cursor.cell(), cursor.ref().page, buffer_before_, key_before_));
        if (parts_ == 1 || (hash >> 32) % parts_ == part_) entries.push_back({hash, cursor.ref()});
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
        return std::tie(left.hash, left.ref.page, left.ref.cell) < std::tie(right.hash, right.ref.page, right.ref.cell);
    });
}

void RowPairs::load_part() {
    load_entries(*before_, entries_before_);
    load_entries(*after_, entries_after_);
    at_before_ = at_after_ = 0;
    ++part_;
}

bool RowPairs::next_by_key(RowPair& pair) {
    while (at_before_ == entries_before_.size() && at_after_ == entries_after_.size()) {
        if (part_ == parts_) return false;
        load_part();
    }
    pair = {};
    const bool has_before = at_before_ < entries_before_.size();
    const bool has_after = at_after_ < entries_after_.size();
    if (!has_before || (has_after && entries_after_[at_after_].hash < entries_before_[at_before_].hash)) {
        pair.after = entries_after_[at_after_++].ref;
        return true;
    }
    const Entry& entry = entries_before_[at_before_++];
    pair.before = entry.ref;
    // Other keys with the same hash are rare, but there may be some.
    for (std::size_t at = at_after_; at < entries_after_.size() && entries_after_[at].hash == entry.hash; ++at) {
        if (!same_key(entry.ref, entries_after_[at].ref)) continue;
        std::swap(entries_after_[at], entries_after_[at_after_]);
        pair.after = entries_after_[at_after_++].ref;
        break;
    }
    return true;
}

}  // namespace rowferry
