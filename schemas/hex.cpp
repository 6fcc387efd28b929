#include "schemas/hex.h"

#include <charconv>

#include "schemas/error.h"

namespace rowferry {

void append_hex(std::string_view bytes, std::string& out) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out.reserve(out.size() + 2 * bytes.size());
    for (const char c : bytes) {
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
    }
}

std::string to_hex(std::string_view bytes) {
    std::string text;
    append_hex(bytes, text);
    return text;
}

std::string from_hex(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        unsigned value = 0;
        const char* begin = text.data() + i;
        if (std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) throw HaltError{"not hexadecimal"};
        bytes += static_cast<char>(value);
    }
    return bytes;
}

}  // namespace rowferry
