#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rowferry::test {

struct SpawnRequest {
    std::vector<std::string> arguments;              ///< The program first, looked up in PATH when it has no slash.
    std::map<std::string, std::string> environment;  ///< Beside ours; every inherited ROWFERRY_… variable is left out.
    std::filesystem::path out;                       ///< Appended to; empty: /dev/null.
    std::filesystem::path err;
    bool as_server_user = false;  ///< When we are root: as the system's user `postgres`, whom PostgreSQL's programs accept.
};

/// Starts a child in a session of its own, with no file descriptor of ours; it gets SIGKILL when the thread that started it ends.
/// Throws std::runtime_error when it cannot be started.
pid_t spawn(const SpawnRequest& request);

struct Outcome {
    int exit_code = -1;  ///< 128 + signal when a signal ended it; -1 when it did not end in time and was killed.
    std::string out;
    std::string err;
};

/// Runs a program to its end.
Outcome run_program(const std::vector<std::string>& arguments, bool as_server_user = false,
                    std::chrono::seconds timeout = std::chrono::seconds{120});

/// Exit code as in Outcome; nothing while it runs after `timeout`.
std::optional<int> wait_for_exit(pid_t child, std::chrono::milliseconds timeout);

/// Makes the user that servers run as the owner of a path, when we are root.
void give_to_server_user(const std::filesystem::path& path);

std::string read_file(const std::filesystem::path& path);

}  // namespace rowferry::test
