#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rowferry {

/// A one-dimensional array in PostgreSQL's binary form, to be bound as one parameter:
///   array   := 1:i32 has_nulls:i32 element_oid:u32 size:i32 1:i32 element*
///   element := length:i32 byte[length]  |  -1:i32
/// An element is the type's binary form; that of text, varchar and bytea are the bytes themselves, so nothing is escaped. Memory is kept
/// for the next array.
class PgArray {
public:
    void begin(std::uint32_t element_oid);
    void add(std::string_view element) {
        append_number(static_cast<std::uint32_t>(element.size()));
        bytes_.append(element);
        ++size_;
    }
    void add_null();
    /// What was added since begin(), valid until the next call.
    [[nodiscard]] std::string_view finish();
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }

private:
    void append_number(std::uint32_t value) {
        const char big_endian[] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                                   static_cast<char>(value)};
        bytes_.append(big_endian, sizeof big_endian);
    }
    void put_number(std::size_t at, std::uint32_t value);

    std::string bytes_;
    std::uint32_t size_ = 0;
    bool nulls_ = false;
};

}  // namespace rowferry
