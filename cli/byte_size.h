#pragma once

#include <cstddef>
#include <string_view>

namespace rowferry {

/// `64kB`, `16MB`, `1GB`: a whole number and its unit, as PostgreSQL's settings count (1 kB is 1024 bytes). Throws UsageError for anything
/// else, and beyond 1 TB.
[[nodiscard]] std::size_t parse_byte_size(std::string_view text);

}  // namespace rowferry
