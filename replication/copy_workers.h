#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/spdlog.h>

#include "db/stop_signal.h"
#include "schemas/error.h"
#include "schemas/follower.h"
#include "schemas/row_reader.h"

namespace rowferry {

/// What `open` gives; nothing where the databases have no connection left for it now, without which the copy goes on.
template <typename Open>
auto further_connection(const Open& open) -> decltype(open()) {
    try {
        return open();
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::retryable) throw;
        spdlog::warn("the copy goes on with fewer connections: {}", error.what());
        return {};
    }
}

/// Some rows of a table, copied in one transaction of the follower.
struct CopyPart {
    TablePtr table;
    std::string range;  ///< See Snapshot::ranges().
};

/// Copies parts of tables side by side: each worker has a thread, a reader of the leader's snapshot and a lane into the follower. A worker
/// whose connection is lost gives its part back, and another one takes its place as long as the snapshot lives.
class CopyWorkers {
public:
    struct Way {
        std::unique_ptr<RowReader> reader;
        std::unique_ptr<CopyLane> lane;
        explicit operator bool() const noexcept { return reader && lane; }
    };
    /// `open_way` is called on the caller's thread for every worker but the first, which has `first`.
    CopyWorkers(std::vector<CopyPart> parts, Way first, std::function<Way()> open_way, const StopSignal& stop);
    ~CopyWorkers();
    CopyWorkers(const CopyWorkers&) = delete;
    CopyWorkers& operator=(const CopyWorkers&) = delete;

    /// Returns once every part is copied. `look` is called now and then. Rethrows the first error after every worker has ended.
    void run(std::size_t workers, const std::function<void()>& look);

    [[nodiscard]] std::uint64_t rows() const { return rows_; }
    [[nodiscard]] std::size_t tables_done() const { return tables_done_; }
    /// Of the part that was begun last.
    [[nodiscard]] std::string table() const;

private:
    void start(Way way);
    bool start_another();
    void work(Way& way);
    void copy(Way& way, const CopyPart& part);
    bool take(CopyPart& part);
    void done(const CopyPart& part);
    void end(std::exception_ptr error, bool lost, const CopyPart* part);

    Way first_;
    std::function<Way()> open_way_;
    const StopSignal& stop_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<CopyPart> parts_;
    std::map<TableName, std::size_t> parts_left_;
    std::exception_ptr failure_;  // ends the copy
    std::exception_ptr lost_;     // of a worker that is to be replaced
    std::size_t working_ = 0;
    std::string table_;
    std::atomic<bool> abandoned_{false};
    std::atomic<std::uint64_t> rows_{0};
    std::atomic<std::size_t> tables_done_{0};
    std::vector<std::thread> threads_;
};

}  // namespace rowferry
