#include "decoder/pg_log/log_files.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "decoder/pg_log/log_file.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::size_t kHead = 64UL << 10;    ///< Enough for a first entry's time.
constexpr std::size_t kHashed = 512;         ///< Bytes of the first line that make its identity.

std::uint64_t hash(std::string_view text) {
    std::uint64_t out = 0xCBF29CE484222325ULL;  // FNV-1a
    for (const char c : text) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return out;
}

}  // namespace

LogFiles::LogFiles(std::vector<std::string> paths, FirstTime first_time) : paths_{std::move(paths)}, first_time_{std::move(first_time)} {}

std::vector<std::string> LogFiles::matching(const std::vector<std::string>& paths) {
    std::set<std::string> out;
    for (const std::string& path : paths) {
        glob_t found{};
        const int result = ::glob(path.c_str(), GLOB_TILDE, nullptr, &found);
        for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
            struct stat status {};
            if (::stat(found.gl_pathv[i], &status) == 0 && S_ISREG(status.st_mode)) out.insert(found.gl_pathv[i]);
        }
        ::globfree(&found);
    }
    return {out.begin(), out.end()};
}

std::string LogFiles::head(const std::string& path, std::size_t most) {
    LogFile file{path};
    std::string out(most, '\0');
    std::size_t size = 0;
    while (size < most) {
        const std::size_t got = file.read(out.data() + size, most - size);
        if (got == 0) break;
        size += got;
    }
    out.resize(size);
    return out;
}

std::vector<LogFiles::Found> LogFiles::all() {
    std::vector<Found> out;
    for (const std::string& path : matching(paths_)) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) continue;
        const auto seen = seen_.find(path);
        if (seen == seen_.end() || seen->second.inode != status.st_ino || seen->second.device != status.st_dev) {
            std::string text;
            try {
                text = head(path, kHead);
            } catch (const Error&) {
                continue;  // renamed, or being compressed just now
            }
            const auto first = first_time_(text);
            if (!first || (text.find('\n') == std::string::npos && text.size() < kHashed)) continue;
            seen_[path] = {status.st_dev, status.st_ino, *first, hash(std::string_view{text}.substr(0, std::min(text.find('\n'), kHashed)))};
        }
        const Seen& one = seen_[path];
        out.push_back({{static_cast<std::uint64_t>(one.first), one.hash}, path, one.first, status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000});
    }
    std::sort(out.begin(), out.end(), [](const Found& a, const Found& b) { return std::tie(a.first, a.modified, a.path) < std::tie(b.first, b.modified, b.path); });
    // A file and its compressed copy are the same.
    std::set<std::pair<LogTime, std::uint64_t>> known;
    std::erase_if(out, [&](const Found& one) { return !known.insert({one.first, one.id.hash}).second; });
    return out;
}

std::optional<LogFiles::Found> LogFiles::find(const LogFileId& id) {
    for (Found& one : all()) {
        // Numbers that were made to rise are a little larger than the time.
        if (one.id.hash != id.hash || one.id.number > id.number || id.number - one.id.number > 1000) continue;
        one.id = id;
        return one;
    }
    return {};
}

std::optional<LogFiles::Found> LogFiles::after(const LogFileId& id) {
    std::vector<Found> files = all();
    std::size_t next = 0;
    if (id.number != 0) {
        const auto current = std::find_if(files.begin(), files.end(), [&](const Found& one) { return one.id.hash == id.hash && one.id.number <= id.number && id.number - one.id.number <= 1000; });
        next = current != files.end() ? static_cast<std::size_t>(current - files.begin()) + 1
                                      : static_cast<std::size_t>(std::find_if(files.begin(), files.end(), [&](const Found& one) { return one.id.number > id.number; }) - files.begin());
    }
    if (next >= files.size()) return {};
    Found out = files[next];
    out.id.number = std::max(out.id.number, id.number + 1);
    return out;
}

}  // namespace rowferry
