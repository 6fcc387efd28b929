#include "statements/sqlite/file_trail.h"

#include <charconv>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "decoder/sqlite_wal/wal_file.h"
#include "decoder/sqlite_wal/wal_index.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::uint32_t kMostFrames = 1'000'000;
constexpr int kTries = 100;

std::string real_path(const std::string& path) {
    std::error_code failure;
    const auto real = std::filesystem::canonical(path, failure);
    return failure ? path : real.string();
}

/// The numbers of `rollback:42` or `wal:1:2:3:4`; nothing for another form.
std::optional<std::vector<std::uint32_t>> numbers(std::string_view text, std::string_view kind, std::size_t count) {
    if (!text.starts_with(kind)) return std::nullopt;
    text.remove_prefix(kind.size());
    std::vector<std::uint32_t> found;
    while (text.starts_with(':')) {
        std::uint32_t number = 0;
        const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
        if (error != std::errc{}) return std::nullopt;
        found.push_back(number);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    return text.empty() && found.size() == count ? std::optional{found} : std::nullopt;
}

}  // namespace

FileTrail::FileTrail(const std::string& path) : path_{real_path(path)}, file_{path_} {}

std::string FileTrail::wal_state() const {
    try {
        const WalIndexHeader now = WalIndex{path_ + "-shm"}.read();
        return fmt::format("wal:{}:{}:{}:{}", now.salts.first, now.salts.second, now.last_frame, now.changes);
    } catch (const RetryableError&) {
        return {};  // no shared memory: the file is held exclusively
    }
}

std::string FileTrail::last_commit(SqliteDatabase& db) const {
    const bool wal = db.query_text("PRAGMA main.journal_mode") == "wal";
    if (wal) return wal_state();
    const auto header = file_.header();
    return header ? fmt::format("rollback:{}", header->change_counter) : std::string{};
}

std::string FileTrail::begin_read(SqliteDatabase& db) const {
    const bool wal = db.query_text("PRAGMA main.journal_mode") == "wal";
    for (int attempt = 0;; ++attempt) {
        const std::string before = wal ? wal_state() : std::string{};
        db.execute("BEGIN");
        static_cast<void>(db.query_integer("SELECT count(*) FROM main.sqlite_schema"));  // only now it is a read transaction
        const std::string now = last_commit(db);
        if (!wal || now == before) return now;
        if (attempt == kTries) return {};
        db.rollback();
        std::this_thread::sleep_for(std::chrono::microseconds{100});
    }
}

bool FileTrail::one_commit_between(const std::string& before, const std::string& now, SqliteDatabase& db) const {
    const auto old_counter = numbers(before, "rollback", 1);
    const auto new_counter = numbers(now, "rollback", 1);
    if (old_counter && new_counter) return new_counter->front() == old_counter->front() + 1;
    const auto old_wal = numbers(before, "wal", 4);
    const auto new_wal = numbers(now, "wal", 4);
    if (!old_wal || !new_wal) return false;
    const auto& a = *old_wal;
    const auto& b = *new_wal;
    // The log began anew: what was written behind `before` may be overwritten, and the number of changes begins anew with the shared memory.
    if (a[0] != b[0] || a[1] != b[1]) return false;
    if (b[2] <= a[2] || b[2] - a[2] > kMostFrames) return false;
    WalFile wal{path_ + "-wal", static_cast<std::uint32_t>(db.query_integer("PRAGMA main.page_size"))};
    WalIndexHeader index;
    index.salts = {b[0], b[1]};
    index.last_frame = b[2];
    std::size_t commits = 0;
    try {
        wal.begin(index, b[2], {});
        for (std::uint32_t frame = a[2] + 1; frame <= b[2]; ++frame) commits += wal.header_of(frame).commits() ? 1 : 0;
    } catch (const Error&) {
        return false;
    }
    return commits == 1;
}

}  // namespace rowferry
