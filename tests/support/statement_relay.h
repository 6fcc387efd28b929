#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace rowferry::test {

/// Writers of a SQLite leader that is captured by its statement log. What they run is tried on a rehearsal, a copy of the leader, where statements may fail and transactions be given up as an
/// application would have it; what a transaction did there in the end goes to the leader through one `rowferry exec`, in the order in which the rehearsal committed. Any thread.
class StatementRelay {
public:
    /// From here on SqliteDb writes to this leader in that way. Its queries ask the leader itself.
    static void begin(const std::filesystem::path& leader);
    /// Null: it does not.
    static std::shared_ptr<StatementRelay> of(const std::filesystem::path& leader);

    explicit StatementRelay(const std::filesystem::path& leader);
    ~StatementRelay();
    StatementRelay(const StatementRelay&) = delete;
    StatementRelay& operator=(const StatementRelay&) = delete;

    [[nodiscard]] const std::filesystem::path& rehearsal() const noexcept { return rehearsal_; }
    /// Held from before a transaction commits on the rehearsal until send() has returned.
    [[nodiscard]] std::unique_lock<std::mutex> turn() { return std::unique_lock{mutex_}; }
    /// Returns when the leader has it. Throws std::runtime_error with what exec said when it ended instead.
    void send(const std::string& script);

private:
    std::filesystem::path rehearsal_;
    std::filesystem::path errors_;
    std::mutex mutex_;
    pid_t pid_ = -1;
    int in_ = -1;   ///< Of the process.
    int out_ = -1;
    std::string heard_;
    int sent_ = 0;
};

}  // namespace rowferry::test
