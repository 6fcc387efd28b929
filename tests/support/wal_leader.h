#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "decoder/sqlite_wal/page_view.h"
#include "schemas/error.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {

using Page = std::vector<std::byte>;

/// A database's pages in memory. Handed out as short as a PageView may, so that whoever holds them longer reads something else.
class MemoryPages : public PageView {
public:
    MemoryPages() = default;
    /// `base` with some pages changed, which are copied.
    MemoryPages(const MemoryPages* base, std::map<std::uint32_t, Page> changed, std::uint32_t count)
        : base_{base}, pages_{std::move(changed)}, page_size_{base->page_size_}, page_count_{count} {}

    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const override {
        if (number == 0 || number > page_count_) throw DecodeError{"page " + std::to_string(number) + " is not there"};
        if (const auto own = pages_.find(number); own != pages_.end()) return lent(own->second);
        if (base_ != nullptr && number <= base_->page_count()) return lent(base_->page(number));
        return lent(Page(page_size_));  // a free page that nobody wrote
    }
    [[nodiscard]] std::uint32_t page_size() const override { return page_size_; }
    [[nodiscard]] std::uint32_t page_count() const override { return page_count_; }

    /// From a database file without a log.
    static MemoryPages of_file(const std::filesystem::path& path) {
        std::ifstream in{path, std::ios::binary};
        std::string bytes{std::istreambuf_iterator<char>{in}, {}};
        MemoryPages pages;
        const auto high = static_cast<unsigned char>(bytes.at(16));
        const auto low = static_cast<unsigned char>(bytes.at(17));
        pages.page_size_ = high * 256U + low == 1 ? 65536 : high * 256U + low;
        pages.page_count_ = static_cast<std::uint32_t>(bytes.size() / pages.page_size_);
        const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
        for (std::uint32_t i = 0; i < pages.page_count_; ++i)
            pages.pages_[i + 1] = Page(data + std::size_t{i} * pages.page_size_, data + std::size_t{i + 1} * pages.page_size_);
        return pages;
    }

    /// Takes over what a commit did.
    void commit(const std::map<std::uint32_t, Page>& changed, std::uint32_t count) {
        for (const auto& [number, page] : changed) pages_[number] = page;
        page_count_ = count;
        pages_.erase(pages_.upper_bound(count), pages_.end());
    }
    [[nodiscard]] std::map<std::uint32_t, Page>& raw() { return pages_; }

private:
    [[nodiscard]] std::span<const std::byte> lent(std::span<const std::byte> page) const {
        Page& place = lent_[turn_++ % kPagesHeld];
        place.assign(page.begin(), page.end());
        return place;
    }

    const MemoryPages* base_ = nullptr;
    std::map<std::uint32_t, Page> pages_;
    std::uint32_t page_size_ = 0;
    std::uint32_t page_count_ = 0;
    mutable std::array<Page, kPagesHeld> lent_;
    mutable std::size_t turn_ = 0;
};

/// One commit as the write-ahead log has it.
struct WalCommit {
    std::map<std::uint32_t, Page> pages;
    std::uint32_t page_count = 0;
    [[nodiscard]] std::vector<std::uint32_t> numbers() const {
        std::vector<std::uint32_t> result;
        for (const auto& [number, page] : pages) result.push_back(number);
        return result;
    }
};

/// A leader in WAL mode whose log is never checkpointed after start(), read in the plainest way: whatever the wal-index calls committed, without looking at
/// checksums (SQLite 3.40 may commit frames that have none).
class WalLeader {
public:
    /// `setup`: pragmas that have to come before the first table.
    explicit WalLeader(const std::string& setup = {}) : path_{new_temp_dir("wal") / "leader.db"}, db_{path_} {
        db_.exec(setup);
        db_.exec("PRAGMA journal_mode = wal; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0");
    }

    SqliteDb& db() { return db_; }
    const std::filesystem::path& path() const { return path_; }

    /// Everything so far goes into the file, which is what the log begins with.
    void start() {
        db_.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        pages_ = MemoryPages::of_file(path_);
        next_ = 1;
    }
    /// The database at the last commit that was taken.
    MemoryPages& pages() { return pages_; }

    /// Commits since the last call.
    std::vector<WalCommit> take() {
        std::vector<WalCommit> commits;
        std::ifstream index{path_.string() + "-shm", std::ios::binary};
        index.seekg(16);
        std::uint32_t last = 0;
        index.read(reinterpret_cast<char*>(&last), 4);
        if (!index) return commits;
        std::ifstream log{path_.string() + "-wal", std::ios::binary};
        WalCommit commit;
        const std::uint32_t size = pages_.page_size();
        log.seekg(32 + static_cast<std::streamoff>(next_ - 1) * (size + 24));
        for (; next_ <= last; ++next_) {
            unsigned char header[24];
            log.read(reinterpret_cast<char*>(header), 24);
            Page page(size);
            log.read(reinterpret_cast<char*>(page.data()), size);
            if (!log) throw std::runtime_error{"the log is shorter than its index says"};
            const auto number = [&](int at) { return header[at] * 16777216U + header[at + 1] * 65536U + header[at + 2] * 256U + header[at + 3]; };
            commit.pages[number(0)] = std::move(page);
            if (number(4) == 0) continue;
            commit.page_count = number(4);
            commit.pages.erase(commit.pages.upper_bound(commit.page_count), commit.pages.end());
            commits.push_back(std::move(commit));
            commit = {};
        }
        return commits;
    }

private:
    std::filesystem::path path_;
    SqliteDb db_;
    MemoryPages pages_;
    std::uint32_t next_ = 1;
};

}  // namespace rowferry::test
