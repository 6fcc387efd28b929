#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rowferry {

/// One file of a log, read from its beginning: plain, gzip or bzip2, by its first bytes. Offsets are those of the unpacked content. One thread.
/// Errors: RefusedError for a file that cannot be opened, HaltError for one that cannot be read or unpacked.
class LogFile {
public:
    explicit LogFile(const std::string& path);
    ~LogFile();
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    /// Up to `count` bytes more; 0: there is no more right now, or at all.
    std::size_t read(char* into, std::size_t count);
    /// Passes over `count` bytes. False: the file has not got so many.
    bool skip(std::uint64_t count);
    /// It can become longer.
    [[nodiscard]] bool grows() const noexcept;
    /// It is shorter than what was read of it.
    [[nodiscard]] bool was_truncated() const;
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

private:
    class Unpacker;
    class Gzip;
    class Bzip2;
    std::size_t read_file(char* into, std::size_t count);

    std::string path_;
    int fd_ = -1;
    std::uint64_t offset_ = 0;  ///< Of the content.
    std::unique_ptr<Unpacker> unpacker_;
};

}  // namespace rowferry
