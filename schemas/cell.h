#pragma once

#include <cstdint>
#include <string_view>

namespace rowferry {

/// The state of one column in one row image. Null, unchanged and absent are three different things:
/// none of them is ever replaced by another, nor by a default.
enum class CellKind : std::uint8_t {
    absent,     ///< Not sent: a column outside the key in a key-only image.
    unchanged,  ///< Not sent because it did not change (PostgreSQL: a TOASTed value). Never NULL.
    null,
    integer,    ///< SQLite INTEGER.
    real,       ///< SQLite REAL, bit-exact.
    text,       ///< PostgreSQL: the type's text form. SQLite: TEXT, whatever bytes it holds.
    blob,       ///< SQLite BLOB.
    binary,     ///< PostgreSQL: the type's binary form, as its send function makes it and COPY BINARY has it. Only from a PostgreSQL leader to a
                ///< PostgreSQL follower whose column has the same type (see pg_binary.h); nothing in between looks into it.
};

/// One value, as a view: text, blob and binary bytes belong to the arena of the batch that holds the cell and live as long as it.
/// In an arena the byte after the last one is NUL, so that data() can be handed to libpq as a text parameter.
class Cell {
public:
    constexpr Cell() noexcept : integer_{0} {}

    static constexpr Cell absent() noexcept { return Cell{}; }
    static constexpr Cell unchanged() noexcept { return Cell{CellKind::unchanged}; }
    static constexpr Cell null() noexcept { return Cell{CellKind::null}; }
    static constexpr Cell integer(std::int64_t value) noexcept {
        Cell cell{CellKind::integer};
        cell.integer_ = value;
        return cell;
    }
    static constexpr Cell real(double value) noexcept {
        Cell cell{CellKind::real};
        cell.real_ = value;
        return cell;
    }
    static constexpr Cell text(std::string_view value) noexcept { return Cell{CellKind::text, value}; }
    static constexpr Cell blob(std::string_view value) noexcept { return Cell{CellKind::blob, value}; }
    static constexpr Cell binary(std::string_view value) noexcept { return Cell{CellKind::binary, value}; }

    [[nodiscard]] constexpr CellKind kind() const noexcept { return kind_; }
    [[nodiscard]] constexpr bool is_null() const noexcept { return kind_ == CellKind::null; }
    /// A value or NULL: something that can be written to the follower.
    [[nodiscard]] constexpr bool is_sent() const noexcept { return kind_ >= CellKind::null; }
    [[nodiscard]] constexpr std::int64_t as_integer() const noexcept { return integer_; }  ///< Only for kind integer.
    [[nodiscard]] constexpr double as_real() const noexcept { return real_; }              ///< Only for kind real.
    /// Only for kinds text, blob and binary.
    [[nodiscard]] constexpr std::string_view bytes() const noexcept { return {data_, size_}; }

private:
    constexpr explicit Cell(CellKind kind) noexcept : integer_{0}, kind_{kind} {}
    constexpr Cell(CellKind kind, std::string_view value) noexcept
        : data_{value.data()}, size_{static_cast<std::uint32_t>(value.size())}, kind_{kind} {}

    union {
        std::int64_t integer_;
        double real_;
        const char* data_;
    };
    std::uint32_t size_ = 0;  // both engines cap a value at 1 GiB
    CellKind kind_ = CellKind::absent;
};
static_assert(sizeof(Cell) == 16);

}  // namespace rowferry
