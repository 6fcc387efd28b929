#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/pg_log/logged_transaction.h"

namespace rowferry {

/// What tells one file of a log from all others, whatever it is called now and whether it was compressed since.
struct LogFileId {
    std::uint64_t number = 0;  ///< The time of its first entry in microseconds, made to rise from file to file.
    std::uint64_t hash = 0;    ///< Of its first line.
};

/// The files of a log, in the order of their first entries' times. Files that are not there yet are found when they are. One thread.
class LogFiles {
public:
    /// `first_time`: of the entry at the beginning of some bytes; none: they have not got one (yet). Throws RefusedError when nothing matches a path.
    using FirstTime = std::function<std::optional<LogTime>(std::string_view head)>;
    LogFiles(std::vector<std::string> paths, FirstTime first_time);

    struct Found {
        LogFileId id;
        std::string path;
        LogTime first = 0;
        std::int64_t modified = 0;
    };
    /// The file with this identity, where it is now.
    [[nodiscard]] std::optional<Found> find(const LogFileId& id);
    /// The one that follows on `id`; a number of 0: the first one.
    [[nodiscard]] std::optional<Found> after(const LogFileId& id);

    /// Paths that are there now, of which one is not empty.
    [[nodiscard]] static std::vector<std::string> matching(const std::vector<std::string>& paths);
    /// The first bytes of a file, unpacked.
    [[nodiscard]] static std::string head(const std::string& path, std::size_t most);

private:
    struct Seen {
        std::uint64_t device, inode;
        LogTime first;
        std::uint64_t hash;
    };
    [[nodiscard]] std::vector<Found> all();

    std::vector<std::string> paths_;
    FirstTime first_time_;
    std::map<std::string, Seen> seen_;  ///< By path: heads are read once.
};

}  // namespace rowferry
