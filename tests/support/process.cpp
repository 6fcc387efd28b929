#include "tests/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/temp_dir.h"

extern char** environ;

namespace rowferry::test {
namespace {

struct User {
    uid_t uid;
    gid_t gid;
};

/// Nothing when we are not root and so run servers as ourselves.
std::optional<User> server_user() {
    static const std::optional<User> user = []() -> std::optional<User> {
        if (::geteuid() != 0) return std::nullopt;
        const passwd* entry = ::getpwnam("postgres");
        if (entry == nullptr) throw std::runtime_error{"running as root, and there is no user postgres to run a server as"};
        return User{entry->pw_uid, entry->pw_gid};
    }();
    return user;
}

std::vector<std::string> child_environment(const std::map<std::string, std::string>& extra) {
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const std::string name{text.substr(0, text.find('='))};
        if (name.starts_with("ROWFERRY_") || name.starts_with("PG") || extra.count(name) != 0) continue;
        result.emplace_back(text);
    }
    for (const auto& [name, value] : extra) result.push_back(name + "=" + value);
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    result.reserve(texts.size() + 1);
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

int open_output(const std::filesystem::path& path) {
    const char* name = path.empty() ? "/dev/null" : path.c_str();
    const int fd = ::open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) throw std::runtime_error{std::string{"open "} + name + ": " + std::strerror(errno)};
    return fd;
}

/// In the child between fork and exec: only async-signal-safe calls, other threads' locks may be held.
[[noreturn]] void become(char* const* arguments, char* const* environment, int out, int err, const std::optional<User>& user) {
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    if (user && (::setgroups(0, nullptr) != 0 || ::setgid(user->gid) != 0 || ::setuid(user->uid) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid, which clears it
    if (user && ::chdir("/") != 0) ::_exit(126);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(arguments[0], arguments, environment);
    ::_exit(127);
}

}  // namespace

pid_t spawn(const SpawnRequest& request) {
    std::vector<std::string> arguments = request.arguments;
    std::vector<std::string> environment = child_environment(request.environment);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    const std::optional<User> user = request.as_server_user ? server_user() : std::nullopt;
    const int out = open_output(request.out);
    const int err = open_output(request.err);
    const pid_t child = ::fork();
    if (child == 0) become(argv.data(), envp.data(), out, err, user);
    ::close(out);
    ::close(err);
    if (child < 0) throw std::runtime_error{std::string{"fork: "} + std::strerror(errno)};
    return child;
}

std::optional<int> wait_for_exit(pid_t child, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        int status = 0;
        const pid_t got = ::waitpid(child, &status, WNOHANG);
        if (got == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (got < 0) throw std::runtime_error{std::string{"waitpid: "} + std::strerror(errno)};
        if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
    }
}

Outcome run_program(const std::vector<std::string>& arguments, bool as_server_user, std::chrono::seconds timeout) {
    const std::filesystem::path dir = new_temp_dir("run");
    const pid_t child =
        spawn({.arguments = arguments, .environment = {}, .out = dir / "out", .err = dir / "err", .as_server_user = as_server_user});
    Outcome outcome;
    if (const std::optional<int> code = wait_for_exit(child, timeout)) {
        outcome.exit_code = *code;
    } else {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    outcome.out = read_file(dir / "out");
    outcome.err = read_file(dir / "err");
    std::filesystem::remove_all(dir);
    return outcome;
}

void give_to_server_user(const std::filesystem::path& path) {
    const std::optional<User> user = server_user();
    if (user && ::chown(path.c_str(), user->uid, user->gid) != 0) throw std::runtime_error{"chown " + path.string()};
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
}

}  // namespace rowferry::test
