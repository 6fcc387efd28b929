#include "triggers/postgresql/nesting_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry::pg_capture {

void NestingCheck::see(const LogEntry& entry, const CapturedTables& tables, Arena& arena) {
    const auto found = nested_.find({entry.xid, entry.rel});
    if (entry.depth <= 1 && found == nested_.end()) return;
    Rows& rows = found == nested_.end() ? nested_[{entry.xid, entry.rel}] : found->second;
    const bool outer = entry.depth < rows.depth;
    for (std::size_t i = 0; i < std::max(entry.olds.size(), entry.news.size()); ++i) {
        if (i < entry.olds.size()) {
            const std::string key = tables.key_of(entry, entry.olds[i], arena);
            if (key.empty()) return;
            const auto left = rows.left.find(key);
            if (outer && left != rows.left.end() && left->second != entry.olds[i])
                throw HaltError{fmt::format("relation {} of the leader, entry {} of its change log: triggers changed rows of a table while a statement on the same table was still running, and what the "
                                            "log has of it does not tell the order. `rowferry copy-table` takes the table up again",
                                            entry.rel, entry.seq)};
            rows.left[key].clear();
        }
        if (i < entry.news.size()) {
            const std::string key = tables.key_of(entry, entry.news[i], arena);
            if (key.empty()) return;
            rows.left[key] = entry.news[i];
        }
    }
    rows.depth = std::max(rows.depth, entry.depth);
}

}  // namespace rowferry::pg_capture
