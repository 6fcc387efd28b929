#pragma once

#include <cstddef>
#include <string>

namespace rowferry {

/// Hexadecimal digits that nobody else has; `digits` is a multiple of 8.
[[nodiscard]] std::string random_id(std::size_t digits);

}  // namespace rowferry
