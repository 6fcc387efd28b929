#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "triggers/postgresql/captured_tables.h"
#include "triggers/postgresql/log_entry.h"

namespace rowferry::pg_capture {

/// A statement trigger logs at the end of its statement. What triggers of other tables changed in the same table meanwhile stands in front of it in the log although it happened
/// behind it: then the old rows of the statement are not what the log before it left. Looks at the tables and transactions in which that can be. One batch.
class NestingCheck {
public:
    /// Of entries that log statements, in the order of the log; after CapturedTables::decode(). Throws HaltError for an entry that stands in the wrong place.
    void see(const LogEntry& entry, const CapturedTables& tables, Arena& arena);
    void clear() { nested_.clear(); }

private:
    struct Rows {
        int depth = 0;                                      ///< The deepest so far.
        std::unordered_map<std::string, std::string> left;  ///< By key: the row as the log left it; empty: it is gone.
    };
    std::map<std::pair<std::uint64_t, std::uint32_t>, Rows> nested_;  ///< By transaction and relation.
};

}  // namespace rowferry::pg_capture
