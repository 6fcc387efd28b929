#include "tests/support/rowferry_process.h"

#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {

std::string rowferry_binary() {
    const char* named = std::getenv("ROWFERRY_BINARY");
    return named != nullptr && *named != '\0' ? named : ROWFERRY_BINARY;
}

Rowferry::Rowferry(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment)
    : dir_{new_temp_dir("rowferry")} {
    const std::string binary = rowferry_binary();
    if (!std::filesystem::exists(binary)) throw std::runtime_error{"no rowferry at " + binary};
    std::vector<std::string> all{binary};
    all.insert(all.end(), arguments.begin(), arguments.end());
    pid_ = spawn({.arguments = all, .environment = environment, .out = dir_ / "out", .err = dir_ / "err", .as_server_user = false});
}

Rowferry::~Rowferry() {
    if (exit_code_) return;
    ::kill(pid_, SIGKILL);
    ::kill(pid_, SIGCONT);
    ::waitpid(pid_, nullptr, 0);
}

void Rowferry::kill(int signal) {
    if (!exit_code_) ::kill(pid_, signal);
}

std::optional<int> Rowferry::wait(std::chrono::milliseconds timeout) {
    if (!exit_code_) exit_code_ = wait_for_exit(pid_, timeout);
    return exit_code_;
}

std::string Rowferry::out() const { return read_file(dir_ / "out"); }
std::string Rowferry::err() const { return read_file(dir_ / "err"); }

std::string Rowferry::last_line() const {
    std::string text = err();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    const std::size_t newline = text.rfind('\n');
    return newline == std::string::npos ? text : text.substr(newline + 1);
}

bool Rowferry::wait_for_err(const std::string& text, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (err().find(text) == std::string::npos) {
        if (std::chrono::steady_clock::now() > deadline || !running()) return err().find(text) != std::string::npos;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
}

std::size_t Rowferry::peak_memory() const {
    std::ifstream status{"/proc/" + std::to_string(pid_) + "/status"};
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
    return 0;
}

RowferryResult rowferry(const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment,
                        std::chrono::seconds timeout) {
    Rowferry process{arguments, environment};
    const std::optional<int> code = process.wait(timeout);
    return {.exit_code = code.value_or(-1), .out = process.out(), .err = process.err(), .last_line = process.last_line()};
}

std::ostream& operator<<(std::ostream& out, const RowferryResult& result) {
    const std::string err = result.err.size() > 4000 ? "… " + result.err.substr(result.err.size() - 4000) : result.err;
    return out << "exit code " << result.exit_code << "\n--- stdout\n" << result.out << "--- stderr\n" << err;
}

}  // namespace rowferry::test
