#include "decoder/byte_reader.h"

#include <algorithm>

#include <fmt/format.h>

namespace rowferry {

std::string_view ByteReader::cstring() {
    const auto rest = in_.subspan(offset_);
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    if (end == rest.end()) fail("a string without its end");
    const auto length = static_cast<std::size_t>(end - rest.begin());
    offset_ += length + 1;
    return as_text(rest.first(length));
}

std::size_t ByteReader::count16(const char* what) {
    const std::int16_t count = i16();
    if (count < 0) fail_at(fmt::format("{} is negative ({})", what, count), offset_ - 2);
    return static_cast<std::size_t>(count);
}

std::size_t ByteReader::count32(const char* what) {
    const std::int32_t count = i32();
    if (count < 0) fail_at(fmt::format("{} is negative ({})", what, count), offset_ - 4);
    return static_cast<std::size_t>(count);
}

void ByteReader::expect_end() const {
    if (remaining() != 0) fail(fmt::format("{} bytes behind its end", remaining()));
}

std::span<const std::byte> ByteReader::since(std::size_t start) const {
    if (start > offset_) fail_at("reader asked for bytes it has not read", start);
    return in_.subspan(start, offset_ - start);
}

void ByteReader::fail_at(std::string_view what, std::size_t offset) const {
    throw DecodeError{fmt::format("{}: {} at byte {}", name_, what, offset)};
}

void ByteReader::fail_short(std::size_t count) const {
    fail(fmt::format("too short, {} bytes needed and {} left", count, remaining()));
}

}  // namespace rowferry
