#include "cli/byte_size.h"

#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{1} << 40;

std::uint64_t unit_bytes(std::string_view unit) {
    if (unit == "kB") return std::uint64_t{1} << 10;
    if (unit == "MB") return std::uint64_t{1} << 20;
    if (unit == "GB") return std::uint64_t{1} << 30;
    return 0;
}

}  // namespace

std::size_t parse_byte_size(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::uint64_t unit = unit_bytes({end, static_cast<std::size_t>(text.data() + text.size() - end)});
    if (failure == std::errc{} && unit != 0 && number <= kLargest / unit) return static_cast<std::size_t>(number * unit);
    throw UsageError{fmt::format("\"{}\" is not a size: expected a whole number with kB, MB or GB, such as 16MB", printable(text))};
}

}  // namespace rowferry
