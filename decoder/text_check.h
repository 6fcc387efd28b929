#pragma once

#include <cstdint>
#include <string_view>

namespace rowferry {

/// Why bytes are not text that both engines can hold.
enum class TextFault : std::uint8_t {
    none,
    nul,      ///< Holds a NUL byte, where C strings would end silently.
    invalid,  ///< Not UTF-8: stray, missing or overlong bytes, a surrogate, or beyond U+10FFFF.
};

/// The first fault from the left. Runs at memory speed over ASCII.
[[nodiscard]] TextFault check_text(std::string_view text) noexcept;

}  // namespace rowferry
