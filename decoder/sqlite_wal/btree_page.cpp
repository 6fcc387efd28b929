#include "decoder/sqlite_wal/btree_page.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::uint32_t kLeastUsable = 480;
constexpr std::uint64_t kMostPayload = 0x7FFFFFFF;  // SQLITE_MAX_LENGTH cannot be set higher

std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t at) { return std::to_integer<std::uint8_t>(bytes[at]); }

/// How much of a payload is on the page, if not all of it.
std::uint64_t local_size(std::uint64_t payload, std::uint32_t usable, bool table_leaf) {
    const std::uint64_t most = table_leaf ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    if (payload <= most) return payload;
    const std::uint64_t least = (usable - 12) * 32 / 255 - 23;
    const std::uint64_t fitting = least + (payload - least) % (usable - 4);
    return fitting <= most ? fitting : least;
}

}  // namespace

void fail_page(std::uint32_t number, std::string_view what) { throw DecodeError{fmt::format("page {}: {}", number, what)}; }

DatabaseFormat read_database_format(const PageView& view) {
    const std::uint32_t size = view.page_size();
    if (size < 512 || size > 65536 || !std::has_single_bit(size)) throw DecodeError{fmt::format("a page size of {} bytes is none of SQLite's", size)};
    const std::span<const std::byte> page = view.page(1);
    if (page.size() != size) fail_page(1, "is not as large as the others");
    if (std::memcmp(page.data(), "SQLite format 3", 16) != 0) fail_page(1, "does not begin as a SQLite database does (an encrypted file?)");
    const std::uint32_t written = read_u16(page.data() + 16);
    if ((written == 1 ? 65536 : written) != size) fail_page(1, fmt::format("says that pages have {} bytes, and the log {}", written, size));
    if (byte_at(page, 21) != 64 || byte_at(page, 22) != 32 || byte_at(page, 23) != 32) fail_page(1, "its payload fractions are not 64, 32 and 32");
    DatabaseFormat format{size, size - byte_at(page, 20), TextEncoding::utf8};
    if (format.usable < kLeastUsable) fail_page(1, fmt::format("reserves {} bytes of each page, which leaves too few", byte_at(page, 20)));
    const std::uint32_t encoding = read_u32(page.data() + 56);
    if (encoding > 3) fail_page(1, fmt::format("text encoding {} is none of SQLite's", encoding));
    if (encoding != 0) format.encoding = static_cast<TextEncoding>(encoding);  // 0: nothing was written yet
    return format;
}

BtreePage::BtreePage(const DatabaseFormat& format, std::uint32_t number, std::span<const std::byte> page) : number_{number} {
    if (page.size() != format.page_size) fail_page(number, "is not as large as the others");
    bytes_ = page.first(format.usable);
    const std::size_t header = number == 1 ? kFileHeader : 0;
    const std::byte* at = bytes_.data() + header;
    const auto kind = std::to_integer<std::uint8_t>(*at);
    if (kind != 2 && kind != 5 && kind != 10 && kind != 13) fail_page(number, fmt::format("is no b-tree page (kind {})", kind));
    kind_ = static_cast<PageKind>(kind);
    cell_count_ = read_u16(at + 3);
    const std::size_t header_size = is_interior() ? 12 : 8;
    if (is_interior()) right_child_ = read_u32(at + 8);
    offsets_ = at + header_size;
    if (header + header_size + cell_count_ * std::size_t{2} > bytes_.size()) fail_page(number, fmt::format("has no room for {} cells", cell_count_));
}

const std::byte* BtreePage::cell_begin(std::uint32_t index) const {
    if (index >= cell_count_) fail_page(number_, fmt::format("has no cell {}", index));
    const std::uint32_t offset = read_u16(offsets_ + std::size_t{2} * index);
    const std::byte* begin = bytes_.data() + offset;
    if (begin < offsets_ + std::size_t{2} * cell_count_ || offset + 4 > bytes_.size()) fail_page(number_, fmt::format("cell {} begins at byte {}, outside of the cells", index, offset));
    return begin;
}

std::uint32_t BtreePage::child(std::uint32_t index) const {
    if (!is_interior()) fail_page(number_, "is a leaf, and was taken for an interior page");
    return index == cell_count_ ? right_child_ : read_u32(cell_begin(index));
}

bool BtreePage::cell_is(std::uint32_t index, std::span<const std::byte> bytes) const {
    const std::byte* begin = cell_begin(index) + (kind_ == PageKind::index_interior ? 4 : 0);
    const auto room = static_cast<std::size_t>(bytes_.data() + bytes_.size() - begin);
    return bytes.size() <= room && std::memcmp(begin, bytes.data(), bytes.size()) == 0;
}

std::int64_t BtreePage::rowid(std::uint32_t index) const {
    const std::byte* end = bytes_.data() + bytes_.size();
    std::uint64_t value = 0;
    const std::byte* at = read_varint(cell_begin(index), end, value);
    if (at != nullptr) at = read_varint(at, end, value);
    if (at == nullptr) fail_page(number_, fmt::format("cell {} goes beyond the page", index));
    return static_cast<std::int64_t>(value);
}

BtreeCell BtreePage::cell(std::uint32_t index) const {
    if (!has_rows()) fail_page(number_, "is an interior page of a table, and was taken for one with rows");
    const std::byte* const end = bytes_.data() + bytes_.size();
    const std::byte* const begin = cell_begin(index) + (kind_ == PageKind::index_interior ? 4 : 0);
    BtreeCell cell;
    std::uint64_t rowid = 0;
    const std::byte* at = read_varint(begin, end, cell.payload_size);
    if (at != nullptr && kind_ == PageKind::table_leaf) at = read_varint(at, end, rowid);
    if (at == nullptr) fail_page(number_, fmt::format("cell {} goes beyond the page", index));
    cell.rowid = static_cast<std::int64_t>(rowid);
    if (cell.payload_size > kMostPayload) fail_page(number_, fmt::format("cell {} has {} bytes, more than SQLite allows", index, cell.payload_size));
    const std::uint64_t local = local_size(cell.payload_size, static_cast<std::uint32_t>(bytes_.size()), kind_ == PageKind::table_leaf);
    const std::size_t pointer = local < cell.payload_size ? 4 : 0;
    if (local + pointer > static_cast<std::size_t>(end - at)) fail_page(number_, fmt::format("cell {} goes beyond the page", index));
    cell.local = {at, static_cast<std::size_t>(local)};
    at += local;
    if (pointer != 0) cell.overflow = read_u32(at);
    cell.bytes = {begin, static_cast<std::size_t>(at + pointer - begin)};
    return cell;
}

std::span<const std::byte> Database::overflow_page(std::uint32_t number, std::uint32_t of_page) const {
    if (number == 0) fail_page(of_page, "a row's overflow pages end before the row does");
    const std::span<const std::byte> bytes = view->page(number);
    if (bytes.size() != format.page_size) fail_page(number, "is not as large as the others");
    return bytes;
}

std::span<const std::byte> whole_payload(const Database& database, const BtreeCell& cell, std::uint32_t page, std::vector<std::byte>& buffer) {
    buffer.assign(cell.local.begin(), cell.local.end());
    if (cell.local.size() == cell.payload_size) return buffer;
    const std::uint64_t pages = (cell.payload_size - cell.local.size()) / (database.format.usable - 4);
    if (pages > database.view->page_count()) fail_page(page, fmt::format("a row of {} bytes, more than the database has", cell.payload_size));
    buffer.reserve(static_cast<std::size_t>(cell.payload_size));
    database.overflow(cell, page, [&](std::uint32_t, std::span<const std::byte> part) { buffer.insert(buffer.end(), part.begin(), part.end()); });
    return buffer;
}

}  // namespace rowferry
