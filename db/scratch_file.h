#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rowferry {

/// A file without a name: nothing is left of it once it is closed, by kill -9 either. Owned by one thread.
/// Errors: RetryableError for a full disk, which somebody may empty, HaltError otherwise; both say where and how large the file was.
class ScratchFile {
public:
    explicit ScratchFile(std::string directory);
    ~ScratchFile();
    ScratchFile(ScratchFile&& other) noexcept;
    ScratchFile& operator=(ScratchFile&&) = delete;

    void append(std::span<const char> bytes);
    /// Fills `bytes`, all of which have been written.
    void read(std::uint64_t offset, std::span<char> bytes) const;
    /// Forgets what is behind `size`.
    void truncate(std::uint64_t size);
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

private:
    [[noreturn]] void fail(const char* doing, int error) const;

    std::string directory_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

}  // namespace rowferry
