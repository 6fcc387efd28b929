#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"

namespace rowferry {

/// A row of rowferry_stream.
struct StreamRecord {
    std::string name;
    std::string follower_id;
    std::uint64_t acked_seq = 0;  ///< Rows below the lowest of all streams may be pruned; the row itself is kept.
    std::int64_t acked_tag = 0;
    std::vector<std::uint16_t> tables;
    bool exact_replace = false;
    std::optional<std::string> broken;  ///< Why this stream cannot go on: its triggers were gone and another stream made new ones.
};

/// A row of rowferry_table.
struct CapturedTable {
    std::uint16_t number = 0;
    std::string name;
    std::vector<std::uint16_t> key;                                       ///< Identity columns the triggers log; empty: all.
    std::optional<std::vector<std::vector<std::uint16_t>>> replace_keys;  ///< What the BEFORE triggers look for; nothing without them.
};

/// The end of the log.
struct LogEnd {
    std::uint64_t seq = 0;
    std::int64_t tag = 0;
};

// Access to our own tables in a leader's file. Each call is one or two statements in whatever transaction is open.

/// Throws HaltError for a layout made by a newer rowferry.
[[nodiscard]] bool capture_installed(SqliteDatabase& db);
/// Empty when nothing is installed.
[[nodiscard]] std::string read_leader_id(SqliteDatabase& db);

[[nodiscard]] std::vector<StreamRecord> read_streams(SqliteDatabase& db);
[[nodiscard]] std::optional<StreamRecord> read_stream(SqliteDatabase& db, const std::string& name);
void write_stream(SqliteDatabase& db, const StreamRecord& stream);
/// Replaces the table numbers of a stream, and forgets why it was broken.
void write_stream_tables(SqliteDatabase& db, const std::string& stream, const std::vector<std::uint16_t>& tables);
void mark_broken(SqliteDatabase& db, const std::string& stream, const std::string& why);

[[nodiscard]] std::vector<CapturedTable> read_captured_tables(SqliteDatabase& db);
void write_captured_table(SqliteDatabase& db, const CapturedTable& table);

/// seq 0 when the log is empty.
[[nodiscard]] LogEnd read_log_end(SqliteDatabase& db);
[[nodiscard]] std::optional<std::int64_t> read_tag(SqliteDatabase& db, std::uint64_t seq);
/// Appends a marker row.
LogEnd append_marker(SqliteDatabase& db);

}  // namespace rowferry
