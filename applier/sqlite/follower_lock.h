#pragma once

#include <cstdint>
#include <string>

namespace rowferry {

/// The right to apply one stream to one SQLite file: an OFD lock on one byte of the file itself, far beyond SQLite's own. The kernel
/// gives it back however the process ends. Two processes and two objects of one process exclude each other alike.
class FollowerLock {
public:
    /// Throws RefusedError when somebody else holds it. The file has to exist.
    FollowerLock(const std::string& path, const std::string& stream);
    ~FollowerLock();
    FollowerLock(const FollowerLock&) = delete;
    FollowerLock& operator=(const FollowerLock&) = delete;

private:
    struct File;
    File* file_ = nullptr;  // Lives until the process ends: closing any descriptor of the file would drop SQLite's own POSIX locks on it.
    std::int64_t offset_ = 0;
};

}  // namespace rowferry
