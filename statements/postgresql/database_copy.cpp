#include "statements/postgresql/database_copy.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kLookEvery{20};
constexpr int kServiceFd = 3;  ///< In the programs that are started.
constexpr std::size_t kMostMessages = 64UL << 10;

/// A file without a name: nothing of it stays, however we end.
class NamelessFile {
public:
    explicit NamelessFile(const char* what) : fd_{::memfd_create(what, MFD_CLOEXEC)} {
        if (fd_ < 0) throw RefusedError{fmt::format("no file in memory can be made: {}", std::generic_category().message(errno))};
    }
    ~NamelessFile() { ::close(fd_); }
    NamelessFile(const NamelessFile&) = delete;
    NamelessFile& operator=(const NamelessFile&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

    void write(const std::string& text) const {
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t written = ::write(fd_, text.data() + done, text.size() - done);
            if (written < 0) throw RefusedError{fmt::format("a file in memory cannot be written: {}", std::generic_category().message(errno))};
            done += static_cast<std::size_t>(written);
        }
    }
    [[nodiscard]] std::string read() const {
        std::string text(kMostMessages, '\0');
        const ssize_t size = ::pread(fd_, text.data(), text.size(), 0);
        text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return text;
    }

private:
    int fd_;
};

/// libpq's service file: the one way to hand a password over that no list of processes shows.
void write_service(const NamelessFile& file, const PgConninfo& conninfo) {
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{PQconninfoParse(conninfo.with({}).c_str(), nullptr), &PQconninfoFree};
    std::string text = "[rowferry]\n";
    for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
        if (option->val != nullptr && *option->val != '\0') text += fmt::format("{}={}\n", option->keyword, option->val);
    file.write(text);
}

class Program {
public:
    Program(const std::vector<std::string>& arguments, const PgConninfo& database, int in, int out) : name_{arguments.front()} {
        write_service(service_, database);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, messages_.fd(), STDERR_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, service_.fd(), kServiceFd);
        std::vector<std::string> variables{fmt::format("PGSERVICEFILE=/proc/self/fd/{}", kServiceFd), "PGSERVICE=rowferry", "LC_ALL=C.UTF-8", "PGOPTIONS=-c client_min_messages=warning -c synchronous_commit=off -c statement_timeout=0"};
        for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
            const std::string_view text = *variable;
            if (!text.starts_with("PG") && !text.starts_with("LC_") && !text.starts_with("LANG")) variables.emplace_back(text);
        }
        std::vector<char*> argv;
        std::vector<char*> envp;
        std::vector<std::string> copies = arguments;
        for (std::string& argument : copies) argv.push_back(argument.data());
        for (std::string& variable : variables) envp.push_back(variable.data());
        argv.push_back(nullptr);
        envp.push_back(nullptr);
        const int failure = ::posix_spawnp(&pid_, argv.front(), &actions, nullptr, argv.data(), envp.data());
        ::posix_spawn_file_actions_destroy(&actions);
        if (failure != 0)
            throw RefusedError{fmt::format("{} cannot be started: {}. The package postgresql-client has it", name_, std::generic_category().message(failure))};
    }
    ~Program() {
        if (done_ || pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] bool has_ended() {
        if (done_) return true;
        if (::waitpid(pid_, &status_, WNOHANG) == pid_) done_ = true;
        return done_;
    }
    [[nodiscard]] bool succeeded() const { return done_ && WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }
    /// Its first error. What it says of a row of the copy may hold the row.
    [[nodiscard]] std::string error() const {
        const std::string all = messages_.read();
        if (all.find("CONTEXT:  COPY") != std::string::npos) return fmt::format("{}: a row of the leader is refused there", name_);
        std::istringstream in{all};
        std::string first;
        for (std::string line; std::getline(in, line);) {
            if (first.empty()) first = line;
            if (line.find("ERROR:") != std::string::npos || line.find("error:") != std::string::npos) return fmt::format("{}: {}", name_, printable(line));
        }
        return fmt::format("{}: {}", name_, first.empty() ? "it failed without a word" : printable(first));
    }

private:
    std::string name_;
    NamelessFile service_{"rowferry service"};
    NamelessFile messages_{"rowferry messages"};
    pid_t pid_ = -1;
    int status_ = 0;
    bool done_ = false;
};

struct Descriptor {
    int fd = -1;
    ~Descriptor() { close(); }
    void close() {
        if (fd >= 0) ::close(std::exchange(fd, -1));
    }
};

}  // namespace

void copy_database(const PgConninfo& from, const std::string& snapshot, const PgConninfo& to, const StopSignal& stop) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw RefusedError{fmt::format("no pipe can be made: {}", std::generic_category().message(errno))};
    Descriptor reading{ends[0]};
    Descriptor writing{ends[1]};
    const Descriptor nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    Program dump{{"pg_dump", "--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions", "--no-security-labels", "--no-tablespaces", "--no-blobs", "--no-password",
                  "--exclude-table-data=rowferry.*", "--snapshot=" + snapshot},
                 from, nothing.fd, writing.fd};
    Program restore{{"psql", "--no-psqlrc", "--quiet", "--no-password", "--single-transaction", "--set=ON_ERROR_STOP=1"}, to, reading.fd, nothing.fd};
    reading.close();
    writing.close();
    // Both, whoever ends first: psql takes an end of its input for success.
    while (!dump.has_ended() || !restore.has_ended())
        if (!stop.sleep(kLookEvery)) throw InterruptedError{"stopped while the scratch was being filled"};
    if (!restore.succeeded()) throw RefusedError{fmt::format("the scratch cannot be filled: {}", restore.error())};
    if (!dump.succeeded()) throw RefusedError{fmt::format("the leader cannot be copied to the scratch: {}", dump.error())};
}

}  // namespace rowferry
