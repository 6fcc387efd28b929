#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rowferry::test {

/// The program under test: that of this build, or the one that the environment's ROWFERRY_BINARY names.
std::string rowferry_binary();

/// A rowferry process as a user would start it. One thread, the one that made it (the child dies with it). Killed when destroyed.
class Rowferry {
public:
    explicit Rowferry(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment = {});
    ~Rowferry();
    Rowferry(const Rowferry&) = delete;
    Rowferry& operator=(const Rowferry&) = delete;

    void kill(int signal);
    /// Exit code (128 + signal when a signal ended it); nothing while it runs after `timeout`.
    std::optional<int> wait(std::chrono::milliseconds timeout = std::chrono::seconds{60});
    [[nodiscard]] bool running() { return !wait(std::chrono::milliseconds{0}).has_value(); }
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    [[nodiscard]] std::string out() const;
    [[nodiscard]] std::string err() const;
    /// The last line of stderr: the reason for the end.
    [[nodiscard]] std::string last_line() const;
    /// Waits until stderr holds `text`.
    bool wait_for_err(const std::string& text, std::chrono::milliseconds timeout = std::chrono::seconds{30});
    /// The most memory it has had in use, in bytes, by /proc; 0 once it ended.
    [[nodiscard]] std::size_t peak_memory() const;

private:
    std::filesystem::path dir_;
    pid_t pid_ = -1;
    std::optional<int> exit_code_;
};

struct RowferryResult {
    int exit_code = -1;  ///< -1: did not end in time and was killed.
    std::string out;
    std::string err;
    std::string last_line;
};

/// Runs rowferry to its end.
RowferryResult rowferry(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment = {},
                        std::chrono::seconds timeout = std::chrono::seconds{120});

/// gtest prints results through this.
std::ostream& operator<<(std::ostream& out, const RowferryResult& result);

}  // namespace rowferry::test
