#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace rowferry::test {
namespace {

/// Servers are found by their postmaster.pid; backends are sessions of their own and end when they see their postmaster gone.
constexpr const char* kGuardianScript = R"(
trap '' TERM INT HUP QUIT PIPE
read -r word
for file in "$0"/*/data/postmaster.pid; do
  [ -f "$file" ] || continue
  pid=$(head -n 1 "$file")
  kill -CONT "$pid" && kill -QUIT "$pid"
  for i in 1 2 3 4 5 6 7 8 9 10; do [ -d "/proc/$pid" ] || break; sleep 0.2; done
  kill -KILL "$pid"
done 2>/dev/null
[ -n "$ROWFERRY_KEEP" ] || for i in 1 2 3 4 5; do rm -rf "$0" && break; sleep 0.2; done
)";

class Root {
public:
    Root() {
        const char* base = std::getenv("TMPDIR");
        std::string name = std::string{base != nullptr && *base != '\0' ? base : "/tmp"} + "/rowferry-test-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp " + name};
        ::chmod(name.c_str(), 0755);
        path_ = name;

        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"pipe2"};
        guardian_ = ::fork();
        if (guardian_ < 0) throw std::runtime_error{"fork"};
        if (guardian_ == 0) {
            ::setsid();
            ::dup2(ends[0], 0);
            const int null = ::open("/dev/null", O_WRONLY);
            ::dup2(null, 1);
            ::dup2(null, 2);
            ::execl("/bin/sh", "sh", "-c", kGuardianScript, name.c_str(), static_cast<char*>(nullptr));
            ::_exit(127);
        }
        ::close(ends[0]);
        alive_ = ends[1];
    }
    ~Root() {
        ::close(alive_);
        ::waitpid(guardian_, nullptr, 0);
    }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
    pid_t guardian_ = -1;
    int alive_ = -1;
};

}  // namespace

const std::filesystem::path& test_root() {
    static const Root root;
    return root.path();
}

std::filesystem::path new_temp_dir(const std::string& prefix) {
    static std::atomic<int> next{0};
    std::filesystem::path dir = test_root() / (prefix + std::to_string(next++));
    std::filesystem::create_directory(dir);
    ::chmod(dir.c_str(), 0755);
    return dir;
}

}  // namespace rowferry::test
