#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "triggers/postgresql/tick.h"

namespace rowferry::pg_capture {

[[nodiscard]] inline std::uint32_t to_oid(const std::string& text) { return static_cast<std::uint32_t>(std::stoul(text)); }

/// What capture_stream says.
struct StreamRow {
    std::string follower_id;
    std::uint64_t acked = 0;
    std::int64_t silent_seconds = 0;  ///< Since its follower acknowledged something.
};

/// Is trigger capture installed in this database, for this role? Throws HaltError for a layout that this version does not know.
[[nodiscard]] bool is_installed(PgSession& session);
[[nodiscard]] std::optional<StreamRow> read_stream(PgSession& session, const std::string& stream);
[[nodiscard]] std::vector<std::string> read_streams(PgSession& session);
/// A table of a stream as it was when its capture began.
struct Member {
    std::string triggers;     ///< See read_triggers().
    std::vector<int> layout;  ///< Numbers of the columns it had.
    /// The first of them by name, of deletes, tells: the truncate trigger is always one of statements.
    [[nodiscard]] bool row_level() const { return triggers.substr(0, triggers.find(' ')).ends_with(":1"); }
};
[[nodiscard]] std::map<std::uint32_t, Member> read_members(PgSession& session, const std::string& stream);

/// Numbers, versions and states of our triggers on these tables, as text to be compared: any that was dropped, made again, disabled or altered shows. Empty text where
/// they are not as we made them.
[[nodiscard]] std::map<std::uint32_t, std::string> read_triggers(PgSession& session, const std::vector<std::uint32_t>& oids);

[[nodiscard]] Tick make_tick(PgSession& session);
/// With a snapshot that was taken after capture_tick was locked by this session's open transaction.
[[nodiscard]] Tick make_tick(PgSession& session, const std::string& snapshot);
[[nodiscard]] std::optional<Tick> last_tick(PgSession& session);
/// The tick of this number; nothing when it is not there any more.
[[nodiscard]] std::optional<Tick> read_tick(PgSession& session, std::uint64_t number);
/// Did anything of the tables (null: of any) commit that the snapshot does not see?
[[nodiscard]] bool has_changes(PgSession& session, const SnapshotBounds& since, const std::vector<std::uint32_t>* oids);

/// `{1,2,3}`.
[[nodiscard]] std::string oid_array(const std::vector<std::uint32_t>& oids);

}  // namespace rowferry::pg_capture
