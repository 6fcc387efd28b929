#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace rowferry::pg_capture {

/// One row of the change log, as COPY … (FORMAT binary) sends it. Views into the message it was read from.
struct LogEntry {
    std::uint64_t seq = 0;
    std::uint64_t xid = 0;
    std::uint32_t rel = 0;
    char op = '\0';           ///< I, U, D or T.
    int depth = 0;            ///< Of statements: 0 for the client's own; inside of another statement always more than that one's.
    bool row_level = false;
    std::vector<std::string_view> olds;  ///< Texts of rows; as many as news, or none.
    std::vector<std::string_view> news;
};

/// The columns that the reader selects, in this order: seq, xid, rel, op, depth, row_level, olds, news.
inline constexpr const char* kEntryColumns = "seq, xid, rel, op, depth, (old_tid IS NOT NULL OR new_tid IS NOT NULL) AS row_level, olds, news";

/// Fills `entry` (whose vectors are reused) from one row, without COPY's header. Throws DecodeError for anything that the log's triggers do not write.
void decode_entry(std::string_view message, LogEntry& entry);

}  // namespace rowferry::pg_capture
