#pragma once

// What has to hold for any bytes in place of a SQLite database's pages. Shared by the libFuzzer targets and the short fuzz that runs with the unit tests. A broken
// promise traps.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "decoder/sqlite_wal/commit_decoder.h"
#include "decoder/sqlite_wal/row_layout.h"
#include "schemas/error.h"

namespace rowferry::test {

/// Pages in memory of their own, so that a sanitizer sees who reads beyond one. Page n is pages[n - 1]; one that is not there is all zeros.
struct LoosePages : PageView {
    std::vector<std::unique_ptr<std::byte[]>> pages;
    std::uint32_t size = 512;
    std::uint32_t count = 0;

    void put(std::uint32_t number, std::span<const std::byte> bytes) {
        if (pages.size() < number) pages.resize(number);
        pages[number - 1] = std::make_unique<std::byte[]>(size);
        std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), size), pages[number - 1].get());
    }
    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const override {
        static const std::array<std::byte, 65536> kZeros{};
        if (number == 0 || number > count) throw DecodeError{"no such page"};
        if (number > pages.size() || pages[number - 1] == nullptr) return std::span{kZeros}.first(size);
        return {pages[number - 1].get(), size};
    }
    [[nodiscard]] std::uint32_t page_size() const override { return size; }
    [[nodiscard]] std::uint32_t page_count() const override { return count; }
};

/// Reads every byte of a row, which a sanitizer watches.
inline void read_row(std::span<const Cell> row) {
    static volatile unsigned sink = 0;
    for (const Cell& cell : row) {
        if (cell.kind() == CellKind::unchanged) __builtin_trap();
        if (cell.kind() >= CellKind::text)
            for (const char c : cell.bytes()) sink = sink + static_cast<unsigned char>(c);
    }
}

/// One page: its first byte says how many bytes are reserved and which encoding texts have, the others are the page. Overflow pages are the page itself.
/// True when all of it made sense.
inline bool decode_any_page(std::span<const std::byte> bytes) {
    if (bytes.empty()) return false;
    const auto flags = std::to_integer<std::uint32_t>(bytes[0]);
    LoosePages pages;
    while (pages.size < bytes.size() - 1 && pages.size < 65536) pages.size *= 2;
    pages.count = 3;
    for (std::uint32_t number = 1; number <= 3; ++number) pages.put(number, bytes.subspan(1));
    Database database;
    database.view = &pages;
    database.format = {pages.size, pages.size - flags % 32, static_cast<TextEncoding>(1 + flags / 32 % 3)};
    std::vector<RowLayout::Column> columns(4);
    columns[0].rowid = columns[1].real = columns[2].has_missing = true;
    columns[2].missing = Cell::text("missing");
    const RowLayout layout{"fuzzed", {0, 1, 2, 3}, columns, 2, database.format.encoding};
    std::vector<std::byte> payload;
    std::array<Cell, 4> row;
    std::array<Cell, 2> key;
    Arena arena;
    bool sound = true;
    const auto attempt = [&](auto&& decode) {
        try {
            decode();
        } catch (const DecodeError&) {
            sound = false;
        } catch (const ValueError&) {
            sound = false;
        }
    };
    for (const std::uint32_t number : {1U, 2U}) {
        attempt([&] {
            const BtreePage page = database.page(number);
            for (std::uint32_t i = 0; page.is_interior() && i <= page.cell_count(); ++i) attempt([&] { static_cast<void>(page.child(i)); });
            for (std::uint32_t i = 0; page.has_rows() && i < page.cell_count(); ++i) {
                attempt([&] {
                    const BtreeCell cell = page.cell(i);
                    if (!page.cell_is(i, cell.bytes)) __builtin_trap();
                    if (page.kind() == PageKind::table_leaf && page.rowid(i) != cell.rowid) __builtin_trap();
                    const std::span<const std::byte> record = whole_payload(database, cell, number, payload);
                    if (record.size() != cell.payload_size) __builtin_trap();
                    arena.clear();
                    attempt([&] { layout.decode(cell.rowid, record, number, arena, row), read_row(row); });
                    attempt([&] { layout.decode_key(record, number, key), read_row(key); });
                });
            }
        });
    }
    return sound;
}

/// Everything is carried.
struct CarryAnything : TableChooser {
    CarriedTable appeared(const SqliteTable& table) override {
        CarriedTable use;
        use.carried = std::make_shared<const TableSchema>(table.schema);
        use.columns.resize(table.schema.columns.size());
        std::iota(use.columns.begin(), use.columns.end(), std::uint16_t{0});
        return use;
    }
    CarriedTable changed(const CarriedTable&, const SqliteTable&, const SqliteTable& now) override {
        CarriedTable use = appeared(now);
        use.announce = true;
        return use;
    }
    void dropped(const CarriedTable&, const SqliteTable&) override {}
    void unreadable(const std::string&, const std::string&) override {}
};

/// A commit on a database with pages of 512 bytes: how many pages it has before, how many changed, how many there are after (a byte each), the pages before,
/// then the changed ones, each behind its number. What is missing at the end is zeros. True when all of it made sense.
inline bool decode_any_commit(std::span<const std::byte> bytes) {
    constexpr std::size_t kPage = 512;
    const auto take = [&](std::size_t size) {
        const std::span<const std::byte> part = bytes.first(std::min(size, bytes.size()));
        bytes = bytes.subspan(part.size());
        return part;
    };
    const auto number = [&] {
        const auto byte = take(1);
        return byte.empty() ? 0U : std::to_integer<std::uint32_t>(byte[0]);
    };
    LoosePages before;
    LoosePages after;
    before.count = number();
    const std::uint32_t changes = number();
    after.count = number();
    for (std::uint32_t page = 1; page <= before.count && !bytes.empty(); ++page) {
        const auto content = take(kPage);
        before.put(page, content);
        after.put(page, content);
    }
    std::vector<std::uint32_t> changed;
    for (std::uint32_t i = 0; i < changes && !bytes.empty(); ++i) {
        const std::uint32_t page = std::max(number(), 1U);
        after.put(page, take(kPage));
        changed.push_back(page);
    }
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    CarryAnything chooser;
    try {
        CommitDecoder decoder{before, chooser};
        decoder.begin(before, after, changed);
        Batch batch;
        for (bool done = false; !done;) {
            batch.clear();
            done = decoder.fill(batch, 1000);
            if (!done && batch.empty()) __builtin_trap();
            for (const Event& event : batch.events()) {
                const auto* change = std::get_if<Change>(&event);
                if (change == nullptr) continue;
                const std::size_t width = change->table->columns.size();
                if (change->before.size() != (change->operation == Operation::insert ? 0 : width)) __builtin_trap();
                if (change->after.size() != (change->operation == Operation::remove ? 0 : width)) __builtin_trap();
                read_row(change->before);
                read_row(change->after);
            }
        }
        return true;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::halted) __builtin_trap();
        return false;
    }
}

}  // namespace rowferry::test
