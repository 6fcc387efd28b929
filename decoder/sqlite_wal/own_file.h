#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace rowferry {

/// A file of ours that is written by descriptor and read through a mapping. Nobody else truncates it, so that reading is safe. One thread.
/// Errors: RetryableError for a full disk, which somebody may empty, HaltError otherwise; both name the file.
class OwnFile {
public:
    /// Makes it when it is not there. An empty `path`: a file without a name in `folder`, gone with the object.
    explicit OwnFile(std::string path, const std::string& folder = {});
    ~OwnFile();
    OwnFile(OwnFile&& other) noexcept;
    OwnFile& operator=(OwnFile&&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    void write(std::uint64_t offset, std::span<const std::byte> bytes);
    void read(std::uint64_t offset, std::span<std::byte> bytes) const;
    void truncate(std::uint64_t size);
    void sync() const;

    /// Bytes of the file, all of which are there; they live until map() or the destructor.
    [[nodiscard]] std::span<const std::byte> bytes(std::uint64_t offset, std::size_t count) const;
    /// Makes everything that was written readable by bytes(); spans from before are void.
    void map();
    /// Takes what was read out of the process's resident memory. Spans stay good: their pages come back when they are read.
    void forget() const noexcept;

private:
    [[noreturn]] void fail(const char* doing, int error) const;

    std::string path_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    const std::byte* mapping_ = nullptr;
    std::uint64_t mapped_ = 0;
};

/// Makes renamed and new files of a folder survive a crash.
void sync_folder(const std::string& folder);

/// The whole content of a small file, replaced at once: a crash leaves the old or the new one.
void replace_file(const std::string& path, const std::string& content);

}  // namespace rowferry
