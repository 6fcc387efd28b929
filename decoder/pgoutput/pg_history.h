#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rowferry {

/// Where a server left `timeline`, according to the content of a timeline history file: lines of `timeline<TAB>switchpoint<TAB>reason`.
/// Nothing when the timeline is not in it. Pure.
[[nodiscard]] std::optional<std::uint64_t> timeline_end(std::string_view history, std::uint32_t timeline);

}  // namespace rowferry
