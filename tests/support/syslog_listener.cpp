#include "tests/support/syslog_listener.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace rowferry::test {
namespace {

constexpr const char* kSocket = "/dev/log";

/// `<134>Nov 20 23:59:01 postgres[7]: [5-1] text` as a daemon writes it down.
std::string written(std::string_view message) {
    if (const auto priority = message.find('>'); message.starts_with('<') && priority != std::string_view::npos) message.remove_prefix(priority + 1);
    constexpr std::size_t kTime = sizeof("Nov 20 23:59:01") - 1;
    std::string line = fmt::format("{} host", message.substr(0, kTime));
    for (const char c : message.substr(std::min(kTime, message.size()))) {
        if (static_cast<unsigned char>(c) < 32 || c == 127)
            line += fmt::format("#{:03o}", static_cast<unsigned char>(c));
        else
            line += c;
    }
    return line + "\n";
}

}  // namespace

SyslogListener::SyslogListener(std::filesystem::path file) : file_{std::move(file)} {
    if (::geteuid() != 0) return;
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{AF_UNIX, {}};
    std::string_view{kSocket}.copy(address.sun_path, sizeof(address.sun_path) - 1);
    // One that nobody listens to was left by a test that was killed.
    struct stat there {};
    const bool is_socket = ::lstat(kSocket, &there) == 0 && S_ISSOCK(there.st_mode);
    if (is_socket && ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno == ECONNREFUSED) ::unlink(kSocket);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        ::close(std::exchange(socket_, -1));
        return;
    }
    ::chmod(kSocket, 0666);
    std::ofstream{file_};
    thread_ = std::thread{[this] { listen(); }};
}

SyslogListener::~SyslogListener() {
    ends_ = true;
    if (thread_.joinable()) thread_.join();
    if (socket_ < 0) return;
    ::close(socket_);
    ::unlink(kSocket);
}

void SyslogListener::listen() {
    std::ofstream out{file_, std::ios::binary | std::ios::app};
    std::string message(64UL << 10, '\0');
    while (!ends_) {
        pollfd waited{socket_, POLLIN, 0};
        if (::poll(&waited, 1, 50) <= 0) continue;
        for (ssize_t size = 0; (size = ::recv(socket_, message.data(), message.size(), MSG_DONTWAIT)) >= 0;) out << written({message.data(), static_cast<std::size_t>(size)});
        out.flush();
    }
}

}  // namespace rowferry::test
