#pragma once

#include <string>
#include <string_view>

#include "schemas/identifier.h"

namespace rowferry {

/// A name in a message.
[[nodiscard]] inline std::string shown(std::string_view name) { return printable(name, 80); }

}  // namespace rowferry
