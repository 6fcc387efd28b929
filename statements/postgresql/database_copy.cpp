#include "statements/postgresql/database_copy.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kLookEvery{20};

/// A folder that only we can read, gone with the object.
class PrivateFolder {
public:
    PrivateFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "rowferry_copy_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw RefusedError{fmt::format("no folder for temporary files can be made: {}", std::generic_category().message(errno))};
        path_ = name;
    }
    ~PrivateFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// libpq's service file: the one way to hand a password over that no list of processes shows.
void write_service(const std::string& path, const PgConninfo& conninfo) {
    const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) throw RefusedError{fmt::format("{}: {}", printable(path), std::generic_category().message(errno))};
    ::close(fd);
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{PQconninfoParse(conninfo.with({}).c_str(), nullptr), &PQconninfoFree};
    std::ofstream out{path};
    out << "[rowferry]\n";
    for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
        if (option->val != nullptr && *option->val != '\0') out << option->keyword << '=' << option->val << '\n';
    out.flush();
    if (!out) throw RefusedError{fmt::format("{}: cannot be written", printable(path))};
}

class Program {
public:
    Program(const std::vector<std::string>& arguments, const std::string& service, int in, int out, const std::string& messages) : name_{arguments.front()}, messages_{messages} {
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        std::vector<std::string> variables{"PGSERVICEFILE=" + service, "PGSERVICE=rowferry", "LC_ALL=C.UTF-8", "PGOPTIONS=-c client_min_messages=warning -c synchronous_commit=off -c statement_timeout=0"};
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
    /// Its first error. Lines behind it may hold rows.
    [[nodiscard]] std::string error() const {
        std::ifstream in{messages_};
        std::string first;
        for (std::string line; std::getline(in, line);) {
            if (first.empty()) first = line;
            if (line.find("ERROR:") != std::string::npos || line.find("error:") != std::string::npos) return fmt::format("{}: {}", name_, printable(line));
        }
        return fmt::format("{}: {}", name_, first.empty() ? "it failed without a word" : printable(first));
    }

private:
    std::string name_;
    std::string messages_;
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
    const PrivateFolder folder;
    write_service(folder.file("from"), from);
    write_service(folder.file("to"), to);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw RefusedError{fmt::format("no pipe can be made: {}", std::generic_category().message(errno))};
    Descriptor reading{ends[0]};
    Descriptor writing{ends[1]};
    const Descriptor nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    Program dump{{"pg_dump", "--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions", "--no-security-labels", "--no-tablespaces", "--no-blobs", "--no-password",
                  "--exclude-table-data=rowferry.*", "--snapshot=" + snapshot},
                 folder.file("from"), nothing.fd, writing.fd, folder.file("dump.messages")};
    Program restore{{"psql", "--no-psqlrc", "--quiet", "--no-password", "--single-transaction", "--set=ON_ERROR_STOP=1"}, folder.file("to"), reading.fd, nothing.fd, folder.file("restore.messages")};
    reading.close();
    writing.close();
    // Both, whoever ends first: psql takes an end of its input for success.
    while (!dump.has_ended() || !restore.has_ended())
        if (!stop.sleep(kLookEvery)) throw InterruptedError{"stopped while the scratch was being filled"};
    if (!restore.succeeded()) throw RefusedError{fmt::format("the scratch cannot be filled: {}", restore.error())};
    if (!dump.succeeded()) throw RefusedError{fmt::format("the leader cannot be copied to the scratch: {}", dump.error())};
}

}  // namespace rowferry
