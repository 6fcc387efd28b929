#pragma once

#include <algorithm>

namespace rowferry {

/// std::ranges::contains of C++23.
template <typename List, typename Item>
[[nodiscard]] constexpr bool holds(const List& list, const Item& item) {
    return std::ranges::find(list, item) != std::ranges::end(list);
}

}  // namespace rowferry
