#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rowferry {

/// A database file or its -shm, read beside SQLite. The descriptor stays open for the process's life, one per file: closing any descriptor of such a
/// file would take away the POSIX locks that SQLite holds on it in this process. Copies are cheap. Any thread.
class KeptFile {
public:
    KeptFile() = default;
    /// Throws RetryableError when it cannot be opened.
    explicit KeptFile(const std::string& path);

    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// False when the path leads to another file now, or to none.
    [[nodiscard]] bool still_at(const std::string& path) const noexcept;
    /// How many bytes there were; less at the file's end. Throws RetryableError.
    std::size_t read(std::uint64_t offset, std::span<std::byte> bytes) const;

private:
    int fd_ = -1;
};

}  // namespace rowferry
