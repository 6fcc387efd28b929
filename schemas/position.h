#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace rowferry {

/// What the numbers of a position count. Part of its text form only; positions are compared within one leader's history.
enum class PositionKind : std::uint8_t {
    lsn,       ///< PostgreSQL logical decoding: end LSN of a commit. Text form `lsn:16/B374D848`.
    sequence,  ///< SQLite triggers: sequence number in the change table at a commit boundary. Text form `seq:42`.
    frame,     ///< SQLite's write-ahead log: how often it began anew, and the last frame of a commit in it. Text form `wal:3:1507`.
    log,       ///< A statement log: which file, and the offset in it behind what a transaction's commit was known from. Text form `log:2:81920`.
};

/// A place between two transactions of one leader's history: everything at or below it is behind us.
/// The zero position lies before everything.
struct Position {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;  ///< Second key for capture methods that need one (file and offset, generation and frame).
    friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

[[nodiscard]] std::string to_string(PositionKind kind, Position position);

/// Inverse of to_string. Throws UsageError for anything else, naming what was expected.
struct ParsedPosition {
    PositionKind kind;
    Position position;
};
[[nodiscard]] ParsedPosition parse_position(std::string_view text);

/// PostgreSQL's own form of an LSN, `16/B374D848`.
[[nodiscard]] std::string lsn_to_string(std::uint64_t lsn);
/// Throws UsageError.
[[nodiscard]] std::uint64_t parse_lsn(std::string_view text);

}  // namespace rowferry
