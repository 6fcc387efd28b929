#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "schemas/error.h"

namespace rowferry {

/// Cursor over one message from outside. Every read is bounds-checked in every build; a message that is shorter than what is asked of
/// it throws DecodeError with the offset, and nothing is ever replaced by a magic value. Owns nothing: the bytes must outlive the
/// reader and every view it hands out. Cheap to copy.
class ByteReader {
public:
    /// `name` says in errors what is being read. A literal: it is not copied.
    explicit ByteReader(std::span<const std::byte> message, const char* name = "message") noexcept : in_{message}, name_{name} {}

    [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::size_t remaining() const noexcept { return in_.size() - offset_; }

    std::span<const std::byte> take(std::size_t count) {
        if (count > remaining()) fail_short(count);
        offset_ += count;
        return in_.subspan(offset_ - count, count);
    }

    /// The same bytes as characters.
    std::string_view take_text(std::size_t count) { return as_text(take(count)); }

    /// Integers are big-endian, signed ones in two's complement.
    template <std::integral T>
    T big_endian() {
        static_assert(std::endian::native == std::endian::little);
        std::make_unsigned_t<T> value = 0;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
        if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
        if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
        return static_cast<T>(value);
    }
    std::uint8_t u8() { return big_endian<std::uint8_t>(); }
    std::uint16_t u16() { return big_endian<std::uint16_t>(); }
    std::int16_t i16() { return big_endian<std::int16_t>(); }
    std::uint32_t u32() { return big_endian<std::uint32_t>(); }
    std::int32_t i32() { return big_endian<std::int32_t>(); }
    std::uint64_t u64() { return big_endian<std::uint64_t>(); }
    std::int64_t i64() { return big_endian<std::int64_t>(); }

    /// Text up to the next NUL byte, which has to be inside the message. The view is without it; the reader stands behind it.
    std::string_view cstring();

    /// A count or length that the wire carries as a signed number. Negative is an error; `what` names it there.
    std::size_t count16(const char* what);
    std::size_t count32(const char* what);

    /// The message has to end here.
    void expect_end() const;

    /// Everything that was read since `start`, an earlier offset().
    [[nodiscard]] std::span<const std::byte> since(std::size_t start) const;

    /// Throws DecodeError: `<name>: <what> at byte <offset>`. `what` must hold no row values.
    [[noreturn]] void fail(std::string_view what) const { fail_at(what, offset_); }
    [[noreturn]] void fail_at(std::string_view what, std::size_t offset) const;

    static std::string_view as_text(std::span<const std::byte> bytes) noexcept {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

private:
    [[noreturn]] void fail_short(std::size_t count) const;

    std::span<const std::byte> in_;
    std::size_t offset_ = 0;  // invariant: offset_ <= in_.size()
    const char* name_;
};

}  // namespace rowferry
