#pragma once

#include <string>
#include <string_view>

namespace rowferry {

/// Two digits a byte, in lower case.
void append_hex(std::string_view bytes, std::string& out);
[[nodiscard]] std::string to_hex(std::string_view bytes);

/// Throws HaltError for what is not hexadecimal.
[[nodiscard]] std::string from_hex(std::string_view text);

}  // namespace rowferry
