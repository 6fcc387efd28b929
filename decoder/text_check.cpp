#include "decoder/text_check.h"

#include <cstddef>
#include <cstring>

namespace rowferry {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x8080808080808080;

/// True when all eight bytes are ASCII and none is NUL.
bool plain(std::uint64_t word) noexcept { return ((word | (word - kOnes)) & kHighBits) == 0; }

/// Length of the well-formed sequence at `at` (Unicode, table 3-7), 0 when there is none.
std::size_t sequence_length(const unsigned char* at, std::size_t left) noexcept {
    const unsigned char lead = at[0];
    std::size_t length = 0;
    unsigned char low = 0x80;   // bounds of the second byte: they exclude overlong forms, surrogates and what is beyond U+10FFFF
    unsigned char high = 0xBF;
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else {
        return 0;
    }
    if (length > left || at[1] < low || at[1] > high) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    return length;
}

}  // namespace

TextFault check_text(std::string_view text) noexcept {
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const std::size_t size = text.size();
    std::size_t at = 0;
    while (at < size) {
        if (size - at >= sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes + at, sizeof word);
            if (plain(word)) {
                at += sizeof word;
                continue;
            }
        }
        if (bytes[at] == 0) return TextFault::nul;
        const std::size_t length = sequence_length(bytes + at, size - at);
        if (length == 0) return TextFault::invalid;
        at += length;
    }
    return TextFault::none;
}

}  // namespace rowferry
