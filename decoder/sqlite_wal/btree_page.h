#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "decoder/sqlite_wal/page_view.h"

namespace rowferry {

// Pages and cells as https://www.sqlite.org/fileformat2.html has them; all numbers are big-endian.
//
//   page      := [file header: 100 bytes, page 1 only] kind:u8 freeblock:u16 cells:u16 content:u16 fragments:u8 [right child:u32, interior only]
//                cell offset:u16*  …free…  cell*  [reserved bytes]
//   table interior cell := child:u32 rowid:varint
//   table leaf cell     := payload size:varint rowid:varint payload          payload := local bytes [first overflow page:u32]
//   index interior cell := child:u32 payload size:varint payload
//   index leaf cell     := payload size:varint payload
//   overflow page       := next:u32 bytes
//
// Everything here is bounds-checked and throws DecodeError, which names the page.

enum class TextEncoding : std::uint8_t { utf8 = 1, utf16le = 2, utf16be = 3 };

/// What the file header says of all pages.
struct DatabaseFormat {
    std::uint32_t page_size = 0;
    std::uint32_t usable = 0;  ///< Without the reserved bytes at the end of each page.
    TextEncoding encoding = TextEncoding::utf8;
    friend bool operator==(const DatabaseFormat&, const DatabaseFormat&) = default;
};
inline constexpr std::size_t kFileHeader = 100;  ///< Bytes in front of page 1's own.
[[nodiscard]] DatabaseFormat read_database_format(const PageView& view);

enum class PageKind : std::uint8_t { index_interior = 2, table_interior = 5, index_leaf = 10, table_leaf = 13 };

/// Throws DecodeError: `page <number>: <what>`.
[[noreturn]] void fail_page(std::uint32_t number, std::string_view what);

/// A varint that begins at `at` and ends before `end`; the return value is where it ends, null when it does not.
[[nodiscard]] inline const std::byte* read_varint(const std::byte* at, const std::byte* end, std::uint64_t& value) noexcept {
    if (at < end && std::to_integer<std::uint8_t>(*at) < 0x80) {
        value = std::to_integer<std::uint8_t>(*at);
        return at + 1;
    }
    std::uint64_t result = 0;
    for (int i = 0; i < 9; ++i) {
        if (at >= end) return nullptr;
        const auto byte = std::to_integer<std::uint8_t>(*at++);
        if (i == 8) {
            value = (result << 8) | byte;
            return at;
        }
        result = (result << 7) | (byte & 0x7FU);
        if (byte < 0x80) break;
    }
    value = result;
    return at;
}

[[nodiscard]] inline std::uint32_t read_u16(const std::byte* at) noexcept {
    return (std::to_integer<std::uint32_t>(at[0]) << 8) | std::to_integer<std::uint32_t>(at[1]);
}
[[nodiscard]] inline std::uint32_t read_u32(const std::byte* at) noexcept { return (read_u16(at) << 16) | read_u16(at + 2); }

/// A cell that holds a row, or a part of it. Views into the page.
struct BtreeCell {
    std::int64_t rowid = 0;             ///< Table leaves only.
    std::uint64_t payload_size = 0;
    std::span<const std::byte> local;   ///< The part of the payload that is on the page.
    std::uint32_t overflow = 0;         ///< Where it goes on; 0: nowhere.
    std::span<const std::byte> bytes;   ///< The whole cell but for a child pointer: equal bytes are equal rows, if the overflow pages are.
};

/// One b-tree page. A view of its bytes, and as short-lived as they are.
class BtreePage {
public:
    /// Throws DecodeError when the page is no b-tree page, or its cell offsets do not fit into it.
    BtreePage(const DatabaseFormat& format, std::uint32_t number, std::span<const std::byte> page);

    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
    [[nodiscard]] PageKind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_interior() const noexcept { return kind_ == PageKind::table_interior || kind_ == PageKind::index_interior; }
    [[nodiscard]] bool is_table() const noexcept { return kind_ == PageKind::table_interior || kind_ == PageKind::table_leaf; }
    /// Do its cells hold rows, or parts of them?
    [[nodiscard]] bool has_rows() const noexcept { return kind_ != PageKind::table_interior; }
    [[nodiscard]] std::uint32_t cell_count() const noexcept { return cell_count_; }

    /// Interior pages: `index` up to and with cell_count(), which is the right child.
    [[nodiscard]] std::uint32_t child(std::uint32_t index) const;
    [[nodiscard]] BtreeCell cell(std::uint32_t index) const;
    /// Does cell `index` begin with these bytes (BtreeCell::bytes of another page of the same kind)? Then it is that cell.
    [[nodiscard]] bool cell_is(std::uint32_t index, std::span<const std::byte> bytes) const;
    /// Table leaves: of one cell, without the rest of it.
    [[nodiscard]] std::int64_t rowid(std::uint32_t index) const;

private:
    [[nodiscard]] const std::byte* cell_begin(std::uint32_t index) const;

    std::span<const std::byte> bytes_;  // the usable ones
    const std::byte* offsets_;
    std::uint32_t number_;
    std::uint32_t cell_count_;
    std::uint32_t right_child_ = 0;
    PageKind kind_;
};

/// A database at one commit: its pages and what its header says of them. Does not own the view.
struct Database {
    const PageView* view = nullptr;
    DatabaseFormat format;

    Database() = default;
    explicit Database(const PageView& pages) : view{&pages}, format{read_database_format(pages)} {}
    [[nodiscard]] BtreePage page(std::uint32_t number) const { return BtreePage{format, number, view->page(number)}; }
    /// The same over a copy of the page in `buffer`, for whoever looks at others meanwhile.
    [[nodiscard]] BtreePage held_page(std::uint32_t number, std::vector<std::byte>& buffer) const {
        const std::span<const std::byte> bytes = view->page(number);
        buffer.assign(bytes.begin(), bytes.end());
        return BtreePage{format, number, buffer};
    }
    /// The pages that a cell's payload goes on in, in order, with the bytes that each of them adds. A cell without any: nothing. Throws
    /// DecodeError when the chain ends too early; `page` is the cell's, for the message.
    template <typename Visit>
    void overflow(const BtreeCell& cell, std::uint32_t page, Visit&& visit) const {
        std::uint64_t missing = cell.payload_size - cell.local.size();
        for (std::uint32_t number = cell.overflow; missing > 0;) {
            const std::span<const std::byte> bytes = overflow_page(number, page);
            const std::size_t part = missing < format.usable - 4 ? static_cast<std::size_t>(missing) : format.usable - 4;
            visit(number, bytes.subspan(4, part));
            missing -= part;
            number = read_u32(bytes.data());
        }
    }

private:
    [[nodiscard]] std::span<const std::byte> overflow_page(std::uint32_t number, std::uint32_t of_page) const;
};

/// The whole payload of a cell, copied into `buffer`.
[[nodiscard]] std::span<const std::byte> whole_payload(const Database& database, const BtreeCell& cell, std::uint32_t page, std::vector<std::byte>& buffer);

}  // namespace rowferry
