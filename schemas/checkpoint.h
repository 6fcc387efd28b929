#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/identity.h"
#include "schemas/position.h"
#include "schemas/table_schema.h"

namespace rowferry {

enum class CheckpointState : std::uint8_t {
    copying,  ///< The snapshot is not complete: the follower promises nothing and must not be a leader.
    ready,    ///< The follower holds exactly a prefix of the leader's history, up to `position`.
};

/// Beside the checkpoint, one row per replicated table.
struct TableState {
    TableName name;
    Position included_to;   ///< The table's changes up to here are already in it.
    TableSchema shape;      ///< The leader's shape when the table was copied.
};

/// What the follower durably knows about one stream. Written in the same follower transaction as the rows it speaks of.
struct Checkpoint {
    std::string stream;
    std::string follower_id;          ///< Random, made with the checkpoint; the leader's own objects name it.
    LeaderIdentity leader;
    CaptureMethod capture = CaptureMethod::logical;
    CheckpointState state = CheckpointState::copying;
    PositionKind position_kind = PositionKind::lsn;
    Position position;
    std::string resume;               ///< Private to the source.
    std::int64_t commit_time_us = 0;  ///< Leader's clock at `position`; 0 where unknown.
    Position acked;                   ///< The highest position that was ever reported to the leader, or may have been.
    std::uint64_t term = 0;
    std::string selection;            ///< Canonical text of the table patterns and keyless mode the stream began with.
    std::vector<TableState> tables;
    /// Tables that the leader captures for the stream and that are not part of the follower's prefix now, because their copy (again, or for
    /// the first time) is under way: their changes are passed over. Not stored; see schemas/table_copy.h.
    std::vector<TableName> passed_over;
};

/// Format of the checkpoint tables; a newer one is refused.
inline constexpr int kCheckpointLayout = 1;

[[nodiscard]] std::string_view to_string(CheckpointState state);
/// Throws HaltError.
[[nodiscard]] CheckpointState parse_checkpoint_state(std::string_view text);

}  // namespace rowferry
