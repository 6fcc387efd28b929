#pragma once

// tuple  := ncols:i16 column*            -- ncols of them, in the order of the Relation message
// column := 'n'                          -- NULL; in a key image also "not part of the key"
//         | 'u'                          -- unchanged TOAST value, not sent
//         | 't' length:i32 byte[length]  -- the type's text form, without a NUL at the end
//         | 'b' length:i32 byte[length]  -- the type's binary form

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "decoder/byte_reader.h"

namespace rowferry::pgoutput {

enum class ValueKind : char { null = 'n', unchanged = 'u', text = 't', binary = 'b' };

/// One column of a tuple. `bytes` is empty for null and unchanged and lives as long as the message.
struct ColumnValue {
    ValueKind kind = ValueKind::null;
    std::string_view bytes;
};

/// The columns of one row image, checked once and walked without allocation. A view: the message must outlive it.
class TupleView {
public:
    /// No columns.
    TupleView() = default;

    /// Reads and checks a whole tuple; afterwards `in` stands behind it. Throws DecodeError.
    static TupleView read(ByteReader& in);

    [[nodiscard]] std::size_t column_count() const noexcept { return count_; }

    /// The columns as they came.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return columns_; }
    /// The same tuple, whose bytes() have been copied to `place`.
    [[nodiscard]] TupleView at(const char* place) const noexcept {
        TupleView moved;
        moved.columns_ = {reinterpret_cast<const std::byte*>(place), columns_.size()};
        moved.count_ = count_;
        return moved;
    }

    class Iterator {
    public:
        const ColumnValue& operator*() const noexcept { return value_; }
        const ColumnValue* operator->() const noexcept { return &value_; }
        Iterator& operator++() {
            step();
            return *this;
        }
        friend bool operator==(const Iterator& a, std::default_sentinel_t) noexcept { return a.left_ == 0; }

    private:
        friend class TupleView;
        Iterator(std::span<const std::byte> columns, std::size_t count);
        void step();

        ByteReader in_;
        std::size_t left_ = 0;
        ColumnValue value_;
    };
    [[nodiscard]] Iterator begin() const { return Iterator{columns_, count_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    std::span<const std::byte> columns_;
    std::size_t count_ = 0;
};

}  // namespace rowferry::pgoutput
