#pragma once

#include <chrono>
#include <string_view>

namespace rowferry {

/// `500ms`, `30s`, `5m`, `2h`, or `0`: a whole number and its unit. Throws UsageError for anything else, and beyond ten years.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);

}  // namespace rowferry
