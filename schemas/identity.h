#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rowferry {

enum class Engine : std::uint8_t { postgresql, sqlite };
[[nodiscard]] std::string_view to_string(Engine engine);

/// How a leader's changes are read. A stream keeps the method it began with.
enum class CaptureMethod : std::uint8_t { logical, triggers, statements };
[[nodiscard]] std::string_view to_string(CaptureMethod method);
/// Throws HaltError: the text comes from a checkpoint.
[[nodiscard]] CaptureMethod parse_capture_method(std::string_view text);

/// Whose positions these are. PostgreSQL: system identifier, timeline, database name. SQLite: the random id that the
/// leader's file keeps; timeline 0, no database.
struct LeaderIdentity {
    Engine engine = Engine::postgresql;
    std::string system;
    std::uint32_t timeline = 0;
    std::string database;

    /// The same leader, or a later timeline of it (whether the timelines agree up to a position is another question).
    [[nodiscard]] bool same_system(const LeaderIdentity& other) const {
        return engine == other.engine && system == other.system && database == other.database;
    }
    friend bool operator==(const LeaderIdentity&, const LeaderIdentity&) = default;
};

/// `postgresql:7303…:1:shop` or `sqlite:6f1e…`: for checkpoints and messages.
[[nodiscard]] std::string to_string(const LeaderIdentity& identity);
/// Throws HaltError: the text comes from a checkpoint.
[[nodiscard]] LeaderIdentity parse_identity(std::string_view text);

}  // namespace rowferry
