#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

namespace rowferry::test {

/// Stands in for the system's syslog daemon where there is none: takes what programs send to /dev/log and appends it to a file as rsyslog would (RFC 3164, control characters as #ooo).
class SyslogListener {
public:
    /// Nothing is listened to where a daemon is there already or where we may not make /dev/log.
    explicit SyslogListener(std::filesystem::path file);
    ~SyslogListener();
    SyslogListener(const SyslogListener&) = delete;
    SyslogListener& operator=(const SyslogListener&) = delete;

    [[nodiscard]] bool listens() const noexcept { return socket_ >= 0; }
    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

private:
    void listen();

    std::filesystem::path file_;
    int socket_ = -1;
    std::atomic<bool> ends_{false};
    std::thread thread_;
};

}  // namespace rowferry::test
