#include "cli/duration.h"

#include <charconv>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Far from where clocks in nanoseconds overflow.
constexpr std::uint64_t kLongest = std::uint64_t{10} * 365 * 24 * 3600 * 1000;

std::optional<std::uint64_t> unit_milliseconds(std::string_view unit) {
    if (unit == "ms") return 1;
    if (unit == "s") return 1000;
    if (unit == "m") return 60 * 1000;
    if (unit == "h") return 3600 * 1000;
    return std::nullopt;
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
    if (text == "0") return std::chrono::milliseconds{0};
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = unit_milliseconds({end, static_cast<std::size_t>(text.data() + text.size() - end)});
    if (failure == std::errc{} && unit && number <= kLongest / *unit)
        return std::chrono::milliseconds{static_cast<std::int64_t>(number * *unit)};
    throw UsageError{fmt::format("\"{}\" is not a duration: expected a whole number with ms, s, m or h, such as 30s, at most ten years, or 0",
                                 printable(text))};
}

}  // namespace rowferry
