#include "decoder/sqlite_wal/text_utf16.h"

#include <cstdint>

namespace rowferry {
namespace {

std::uint32_t unit_at(std::span<const std::byte> text, std::size_t at, TextEncoding encoding) {
    const auto first = std::to_integer<std::uint32_t>(text[at]);
    const auto second = std::to_integer<std::uint32_t>(text[at + 1]);
    return encoding == TextEncoding::utf16le ? first | (second << 8) : (first << 8) | second;
}

constexpr std::uint32_t kInvalid = 0xFFFFFFFF;

std::uint32_t next_character(std::span<const std::byte> text, std::size_t& at, TextEncoding encoding) {
    const std::uint32_t unit = unit_at(text, at, encoding);
    at += 2;
    if (unit < 0xD800 || unit > 0xDFFF) return unit;
    if (unit > 0xDBFF || at == text.size()) return kInvalid;
    const std::uint32_t low = unit_at(text, at, encoding);
    at += 2;
    if (low < 0xDC00 || low > 0xDFFF) return kInvalid;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

std::size_t utf8_size(std::uint32_t character) { return character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4; }

char* put_utf8(char* to, std::uint32_t character) {
    const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((character >> shift) & 0x3F)); };
    switch (utf8_size(character)) {
        case 1: *to++ = static_cast<char>(character); break;
        case 2:
            *to++ = static_cast<char>(0xC0 | (character >> 6));
            *to++ = tail(0);
            break;
        case 3:
            *to++ = static_cast<char>(0xE0 | (character >> 12));
            *to++ = tail(6);
            *to++ = tail(0);
            break;
        default:
            *to++ = static_cast<char>(0xF0 | (character >> 18));
            *to++ = tail(12);
            *to++ = tail(6);
            *to++ = tail(0);
    }
    return to;
}

}  // namespace

std::optional<std::string_view> utf8_of_utf16(std::span<const std::byte> text, TextEncoding encoding, Arena& arena) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::size_t size = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::uint32_t character = next_character(text, at, encoding);
        if (character == kInvalid) return std::nullopt;
        size += utf8_size(character);
    }
    char* const begin = arena.bytes(size);
    char* to = begin;
    for (std::size_t at = 0; at < text.size();) to = put_utf8(to, next_character(text, at, encoding));
    return std::string_view{begin, size};
}

}  // namespace rowferry
