#include "applier/postgresql/pg_array.h"

namespace rowferry {
namespace {
constexpr std::size_t kNullsAt = 4;
constexpr std::size_t kSizeAt = 12;
constexpr std::uint32_t kNull = 0xFFFFFFFF;
}  // namespace

void PgArray::begin(std::uint32_t element_oid) {
    bytes_.clear();
    size_ = 0;
    nulls_ = false;
    append_number(1);
    append_number(0);
    append_number(element_oid);
    append_number(0);
    append_number(1);
}

void PgArray::add_null() {
    append_number(kNull);
    nulls_ = true;
    ++size_;
}

void PgArray::put_number(std::size_t at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes_[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
}

std::string_view PgArray::finish() {
    put_number(kNullsAt, nulls_ ? 1 : 0);
    put_number(kSizeAt, size_);
    return bytes_;
}

}  // namespace rowferry
