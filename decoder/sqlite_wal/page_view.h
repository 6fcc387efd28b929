#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rowferry {

/// The pages of a SQLite database at one commit. Page numbers begin with 1. One thread.
class PageView {
public:
    /// The bytes of a page stay as they are until this many further pages were asked of the same view. Whoever needs them longer copies them.
    static constexpr std::size_t kPagesHeld = 16;

    virtual ~PageView() = default;

    /// All bytes of the page as SQLite would read it, page_size() of them. Throws what reading throws; DecodeError for a number that is 0 or
    /// above page_count(): it stands in a page, and so does not have to be right.
    [[nodiscard]] virtual std::span<const std::byte> page(std::uint32_t number) const = 0;
    /// 512 to 65536, a power of two.
    [[nodiscard]] virtual std::uint32_t page_size() const = 0;
    /// Of the database at this commit, as its commit frame says.
    [[nodiscard]] virtual std::uint32_t page_count() const = 0;
};

}  // namespace rowferry
