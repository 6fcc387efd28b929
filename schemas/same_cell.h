#pragma once

#include <bit>
#include <cstdint>

#include "schemas/cell.h"

namespace rowferry {

/// The same kind and the same value to the last bit, not what SQL calls equal: 1 is not 1.0, and 0.0 is not -0.0.
[[nodiscard]] inline bool same_cell(const Cell& left, const Cell& right) noexcept {
    if (left.kind() != right.kind()) return false;
    switch (left.kind()) {
        case CellKind::integer: return left.as_integer() == right.as_integer();
        case CellKind::real: return std::bit_cast<std::uint64_t>(left.as_real()) == std::bit_cast<std::uint64_t>(right.as_real());
        case CellKind::text:
        case CellKind::blob:
        case CellKind::binary: return left.bytes() == right.bytes();
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged: return true;
    }
    return false;
}

}  // namespace rowferry
