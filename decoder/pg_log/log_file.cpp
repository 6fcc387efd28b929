#include "decoder/pg_log/log_file.h"

#include <bzlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <algorithm>
#include <cstring>
#include <vector>

#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::size_t kPacked = 64UL << 10;

}  // namespace

/// A compressed stream, or several one behind the other, as `cat a.gz b.gz` makes them.
class LogFile::Unpacker {
public:
    explicit Unpacker(LogFile& file) : file_{file}, packed_(kPacked) {}
    virtual ~Unpacker() = default;
    virtual std::size_t read(char* into, std::size_t count) = 0;

protected:
    /// More packed bytes; 0: the end of the file.
    std::size_t fill() { return file_.read_file(packed_.data(), packed_.size()); }
    [[noreturn]] void fail(const char* what) const { throw HaltError{file_.path_ + ": " + what}; }

    LogFile& file_;
    std::vector<char> packed_;
};

class LogFile::Gzip : public Unpacker {
public:
    explicit Gzip(LogFile& file) : Unpacker{file} {
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) fail("zlib cannot be started");
    }
    ~Gzip() override { inflateEnd(&stream_); }

    std::size_t read(char* into, std::size_t count) override {
        stream_.next_out = reinterpret_cast<Bytef*>(into);
        stream_.avail_out = static_cast<uInt>(count);
        while (stream_.avail_out == count) {
            if (stream_.avail_in == 0) {
                stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
                stream_.avail_in = static_cast<uInt>(fill());
                if (stream_.avail_in == 0) {
                    if (!ended_) fail("the compressed file ends within its content: it is damaged, or still being written");
                    return 0;
                }
            }
            if (ended_ && inflateReset(&stream_) != Z_OK) fail("zlib cannot go on");
            ended_ = false;
            const int result = inflate(&stream_, Z_NO_FLUSH);
            if (result == Z_STREAM_END)
                ended_ = true;
            else if (result != Z_OK && result != Z_BUF_ERROR)
                fail("the compressed file is damaged");
        }
        return count - stream_.avail_out;
    }

private:
    z_stream stream_{};
    bool ended_ = false;
};

class LogFile::Bzip2 : public Unpacker {
public:
    explicit Bzip2(LogFile& file) : Unpacker{file} { start(); }
    ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }

    std::size_t read(char* into, std::size_t count) override {
        stream_.next_out = into;
        stream_.avail_out = static_cast<unsigned>(count);
        while (stream_.avail_out == count) {
            if (stream_.avail_in == 0) {
                stream_.next_in = packed_.data();
                stream_.avail_in = static_cast<unsigned>(fill());
                if (stream_.avail_in == 0) {
                    if (!ended_) fail("the compressed file ends within its content: it is damaged, or still being written");
                    return 0;
                }
            }
            if (ended_) {
                const bz_stream before = stream_;
                BZ2_bzDecompressEnd(&stream_);
                stream_ = {};
                start();
                stream_.next_in = before.next_in;
                stream_.avail_in = before.avail_in;
                stream_.next_out = before.next_out;
                stream_.avail_out = before.avail_out;
            }
            const int result = BZ2_bzDecompress(&stream_);
            if (result == BZ_STREAM_END)
                ended_ = true;
            else if (result != BZ_OK)
                fail("the compressed file is damaged");
        }
        return count - stream_.avail_out;
    }

private:
    void start() {
        if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) fail("bzip2 cannot be started");
        ended_ = false;
    }

    bz_stream stream_{};
    bool ended_ = false;
};

LogFile::LogFile(const std::string& path) : path_{path} {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw RefusedError{path + ": " + std::strerror(errno)};
    std::array<unsigned char, 3> magic{};
    const auto got = ::pread(fd_, magic.data(), magic.size(), 0);
    if (got == 3 && magic[0] == 0x1F && magic[1] == 0x8B) unpacker_ = std::make_unique<Gzip>(*this);
    if (got == 3 && magic[0] == 'B' && magic[1] == 'Z' && magic[2] == 'h') unpacker_ = std::make_unique<Bzip2>(*this);
}

LogFile::~LogFile() {
    unpacker_.reset();
    ::close(fd_);
}

std::size_t LogFile::read_file(char* into, std::size_t count) {
    for (;;) {
        const auto got = ::read(fd_, into, count);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) throw HaltError{path_ + ": " + std::strerror(errno)};
    }
}

std::size_t LogFile::read(char* into, std::size_t count) {
    const std::size_t got = unpacker_ ? unpacker_->read(into, count) : read_file(into, count);
    offset_ += got;
    return got;
}

bool LogFile::skip(std::uint64_t count) {
    if (!unpacker_) {
        struct stat status {};
        if (::fstat(fd_, &status) != 0 || static_cast<std::uint64_t>(status.st_size) < offset_ + count) return false;
        offset_ += count;
        return ::lseek(fd_, static_cast<off_t>(offset_), SEEK_SET) >= 0;
    }
    std::vector<char> dropped(1UL << 20);
    while (count > 0) {
        const std::size_t got = read(dropped.data(), static_cast<std::size_t>(std::min<std::uint64_t>(count, dropped.size())));
        if (got == 0) return false;
        count -= got;
    }
    return true;
}

bool LogFile::grows() const noexcept { return unpacker_ == nullptr; }

bool LogFile::was_truncated() const {
    if (unpacker_) return false;
    struct stat status {};
    return ::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < offset_;
}

}  // namespace rowferry
