#include "schemas/checkpoint.h"

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/follower.h"

namespace rowferry {

std::string_view to_string(CheckpointState state) {
    switch (state) {
        case CheckpointState::copying: return "copying";
        case CheckpointState::ready: return "ready";
    }
    throw std::logic_error{"checkpoint state"};
}

CheckpointState parse_checkpoint_state(std::string_view text) {
    if (text == "copying") return CheckpointState::copying;
    if (text == "ready") return CheckpointState::ready;
    throw HaltError{fmt::format("the checkpoint is in a state \"{}\" that this version does not know", text)};
}

std::optional<Checkpoint> Follower::load_checkpoint(const std::string& stream) {
    for (Checkpoint& checkpoint : load_checkpoints())
        if (checkpoint.stream == stream) return std::move(checkpoint);
    return std::nullopt;
}

}  // namespace rowferry
