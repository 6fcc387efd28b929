#include "tests/support/statement_relay.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/support/rowferry_process.h"

namespace rowferry::test {
namespace {

std::mutex relays_mutex;
std::map<std::filesystem::path, std::shared_ptr<StatementRelay>>& relays() {
    static std::map<std::filesystem::path, std::shared_ptr<StatementRelay>> all;
    return all;
}

}  // namespace

void StatementRelay::begin(const std::filesystem::path& leader) {
    auto relay = std::make_shared<StatementRelay>(leader);
    const std::lock_guard lock{relays_mutex};
    relays()[leader] = std::move(relay);
}

std::shared_ptr<StatementRelay> StatementRelay::of(const std::filesystem::path& leader) {
    const std::lock_guard lock{relays_mutex};
    const auto found = relays().find(leader);
    return found == relays().end() ? nullptr : found->second;
}

StatementRelay::StatementRelay(const std::filesystem::path& leader) : rehearsal_{leader.string() + "-rehearsal"}, errors_{leader.string() + "-exec.err"} {
    std::filesystem::copy(leader, rehearsal_);
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) throw std::runtime_error{"pipe"};
    const std::string binary = rowferry_binary();
    const std::string endpoint = "sqlite:" + leader.string();
    pid_ = ::fork();
    if (pid_ == 0) {
        const int errors = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ::dup2(to[0], STDIN_FILENO);
        ::dup2(from[1], STDOUT_FILENO);
        ::dup2(errors, STDERR_FILENO);
        ::execl(binary.c_str(), binary.c_str(), "exec", endpoint.c_str(), "-f", "-", nullptr);
        ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    in_ = to[1];
    out_ = from[0];
    ::signal(SIGPIPE, SIG_IGN);
}

StatementRelay::~StatementRelay() {
    ::close(in_);
    ::close(out_);
    ::waitpid(pid_, nullptr, 0);
}

void StatementRelay::send(const std::string& script) {
    const std::string done = fmt::format("done {}\n", ++sent_);
    const std::string all = fmt::format("{}\nSELECT 'done {}';\n", script, sent_);
    for (std::size_t at = 0; at < all.size();) {
        const ssize_t count = ::write(in_, all.data() + at, all.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) break;
        at += static_cast<std::size_t>(count);
    }
    while (heard_.find(done) == std::string::npos) {
        char bytes[4096];
        const ssize_t count = ::read(out_, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            std::ifstream errors{errors_};
            throw std::runtime_error{"rowferry exec ended: " + std::string{std::istreambuf_iterator<char>{errors}, {}} + "\n" + script};
        }
        heard_.append(bytes, static_cast<std::size_t>(count));
    }
    heard_.clear();
}

}  // namespace rowferry::test
