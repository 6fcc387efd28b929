#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace rowferry {

/// A look at a leader's file beside SQLite: is it still the one we opened, did a commit change it, and who reads a stream from it.
///
/// Closing any descriptor of a database file takes away the POSIX locks that SQLite holds on it in this process. Descriptors opened here
/// are therefore never closed: they go back to a pool for the process's life, one per file and use. Any thread, one object each.
class LeaderFile {
public:
    /// Throws RefusedError when the file is missing or cannot be written.
    explicit LeaderFile(std::string path);
    ~LeaderFile();
    LeaderFile(const LeaderFile&) = delete;
    LeaderFile& operator=(const LeaderFile&) = delete;

    /// False when the path leads to another file now, or to none.
    [[nodiscard]] bool still_there() const noexcept;

    struct Header {
        bool wal = false;
        std::uint32_t change_counter = 0;  ///< Counts commits, but only those in rollback-journal mode.
    };
    /// Without any lock, so it may be that of a commit which is not complete yet.
    [[nodiscard]] std::optional<Header> header() const noexcept;

    /// Marks a stream as being read by this process until destruction; false when somebody else does. The lock is on a byte far beyond any
    /// that SQLite uses, and ends with the process however it ends.
    [[nodiscard]] bool try_lock_stream(const std::string& stream);

private:
    std::string path_;
    int fd_ = -1;
    std::optional<std::int64_t> locked_;
};

}  // namespace rowferry
