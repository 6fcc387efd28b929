#include "triggers/postgresql/nesting_check.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry::pg_capture {

void NestingCheck::begin(std::function<Crossed()> ask) {
    ask_ = std::move(ask);
    crossed_.reset();
    nested_.clear();
}

NestingCheck::Digest NestingCheck::digest(std::string_view text) {
    constexpr std::size_t kDigits = 16;
    std::array<char, kSha256HexLength> hex{};
    sha_.hex(text, hex.data());
    Digest result{};
    for (std::size_t i = 0; i < result.size(); ++i) std::from_chars(hex.data() + i * kDigits, hex.data() + (i + 1) * kDigits, result[i], 16);
    return result;
}

void NestingCheck::see(const LogEntry& entry, const CapturedTables& tables, Arena& arena) {
    if (!crossed_) {
        if (entry.depth == 0) return;
        crossed_ = ask_();
    }
    if (crossed_->empty()) return;
    const std::pair pair{entry.xid, entry.rel};
    const auto last = crossed_->find(pair);
    if (last == crossed_->end()) return;
    const auto found = nested_.find(pair);
    if (entry.depth == 0 && found == nested_.end()) return;
    compare(found == nested_.end() ? nested_[pair] : found->second, entry, tables, arena);
    if (entry.seq < last->second) return;
    nested_.erase(pair);
    crossed_->erase(last);
}

void NestingCheck::compare(Rows& rows, const LogEntry& entry, const CapturedTables& tables, Arena& arena) {
    const bool outer = entry.depth < rows.depth;
    for (std::size_t i = 0; i < std::max(entry.olds.size(), entry.news.size()); ++i) {
        std::string key;
        if (i < entry.olds.size()) {
            key = tables.key_of(entry, entry.olds[i], arena);
            if (key.empty()) return;
            const auto [left, first] = rows.left.try_emplace(digest(key));
            if (outer && !first && left->second != digest(entry.olds[i]))
                throw HaltError{fmt::format("relation {} of the leader, entry {} of its change log: triggers or functions changed rows of a table while a statement on the same table was still running, and what the "
                                            "log has of it does not tell the order. A table with a trigger of any kind is captured row by row, which does. `rowferry copy-table` takes the table up again",
                                            entry.rel, entry.seq)};
            left->second.reset();
        }
        if (i < entry.news.size()) {
            const std::string key_after = tables.key_of(entry, entry.news[i], arena);
            if (key_after.empty()) return;
            // A key that another row of the same statement gives up, further down in the log: the row with it is looked at no more.
            if (!key.empty() && key != key_after)
                rows.left.erase(digest(key_after));
            else
                rows.left[digest(key_after)] = digest(entry.news[i]);
        }
    }
    rows.depth = std::max(rows.depth, entry.depth);
}

}  // namespace rowferry::pg_capture
