#pragma once

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/file_watch.h"
#include "db/stop_signal.h"
#include "schemas/checkpoint.h"
#include "schemas/leader.h"
#include "schemas/source.h"
#include "statements/sqlite/foreign_writes.h"
#include "statements/sqlite/log_acknowledger.h"
#include "statements/sqlite/scratch_copy.h"
#include "triggers/sqlite/sqlite_trigger_source.h"

namespace rowferry {

/// Reads a statement log by running it again: each transaction is run on the scratch copy, and what the triggers there captured of it is the stream's transaction, with the log's position
/// and time of commit. The scratch copy knows where each ends in its change table, so nothing is captured for that, as statements/positioned_source needs it elsewhere. What was run and is not on the follower yet is in the scratch copy's change table, whatever was killed when.
class SqliteStatementSource : public Source {
public:
    struct Parts {
        std::string watched;                          ///< The file that grows when the log does.
        std::string where;                            ///< For messages.
        std::unique_ptr<ScratchCopy> scratch;
        std::unique_ptr<TransactionReader> log;       ///< Behind the scratch copy's last place.
        std::unique_ptr<ForeignWrites> foreign;       ///< Null: the leader is not looked at.
        std::unique_ptr<LogAcknowledger> acknowledger;  ///< Null: nothing is acknowledged to the log.
        std::unique_ptr<SqliteTriggerSource> changes; ///< Of the scratch copy.
        Position position;                            ///< The follower's.
    };
    SqliteStatementSource(Parts parts, const StopSignal& stop);

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { wake_fd_ = fd; }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return parts_.changes->take_new_tables(); }

private:
    using Clock = std::chrono::steady_clock;

    bool emit(Batch& batch, std::size_t budget);
    [[nodiscard]] bool finish_place(Batch& batch, std::size_t from);
    bool run_some();
    [[nodiscard]] bool next_place();
    [[nodiscard]] bool woken() const;

    Parts parts_;
    const StopSignal& stop_;
    FileWatch watch_;
    std::deque<ScratchPlace> ready_;       ///< Run, and not emitted yet; the first of them may be under way.
    Position loaded_;                      ///< The last one that was in ready_.
    Position emitted_;
    std::uint64_t emitted_seq_ = 0;
    bool under_way_ = false;
    std::deque<std::pair<Position, std::uint64_t>> unreported_;  ///< Emitted, with their places in the change table.
    std::exception_ptr failure_;  ///< Of the transaction behind the last one that was run.
    Position reported_;
    Position forgotten_;
    Clock::time_point next_report_{};
    int wake_fd_ = -1;
};

}  // namespace rowferry
