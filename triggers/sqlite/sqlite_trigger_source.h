#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/sqlite.h"
#include "db/stop_signal.h"
#include "schemas/checkpoint.h"
#include "schemas/leader.h"
#include "schemas/source.h"
#include "triggers/sqlite/acknowledger.h"
#include "triggers/sqlite/capture_store.h"
#include "triggers/sqlite/change_decoder.h"
#include "db/file_watch.h"
#include "db/leader_file.h"

namespace rowferry {

/// Reads the change table of a SQLite leader.
///
/// A look at the log is one read transaction that verifies the capture and notes the end of the log, which is a commit boundary: the
/// target. Everything up to the target is then emitted as one merged transaction, in as many read transactions and batches as it takes,
/// because log rows never change and are pruned only below what was acknowledged. No read transaction outlives a call, and in
/// rollback-journal mode, where a reader keeps writers from committing, each lasts a few milliseconds only.
class SqliteTriggerSource : public Source {
public:
    /// Throws HaltError when the leader's log does not continue the checkpoint, RefusedError when another process reads the stream.
    SqliteTriggerSource(const std::string& path, const StreamRequest& request, const Checkpoint& checkpoint, const StopSignal& stop);
    ~SqliteTriggerSource() override;

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { wake_fd_ = fd; }
    /// May be called again once a fence was reached, for one behind it.
    void cut_at(Position fence) override {
        fence_ = fence.major;
        look_needed_ = true;
    }
    /// For whoever cuts at the leader's own transactions: what lies between two fences stays one transaction, also where a table changes its shape in it.
    void keep_whole() noexcept { whole_ = true; }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return std::exchange(new_tables_, {}); }

private:
    using Clock = std::chrono::steady_clock;

    void verify_start(const Checkpoint& checkpoint);
    void verify_history();
    [[nodiscard]] bool may_have_changed();
    bool look();
    [[nodiscard]] bool woken() const;
    void inspect();
    bool examine_shapes();
    void log_shapes(int busy_timeout_ms);
    void find_new_tables();
    void use_tables(const std::vector<TablePtr>& shapes);
    bool emit(Batch& batch, std::size_t budget);
    void read_slice(Batch& batch, std::size_t budget);
    void take_row(Batch& batch);
    void begin_transaction(Batch& batch);
    void reach_target(Batch& batch);
    void end_transaction(LogEnd end, Batch& batch);
    void note_busy(const SqliteError& error);
    [[noreturn]] void halt(const std::string& what) const;
    [[nodiscard]] std::string where() const;

    std::string stream_;
    StreamRequest request_;
    std::string follower_id_;
    LeaderFile file_;
    SqliteDatabase db_;
    const StopSignal& stop_;
    TableSelection selection_;
    std::vector<TableName> known_tables_;  ///< Of the leader, in the stream or not.
    std::vector<TableName> new_tables_;    ///< Made since, selected, and not handed over yet.
    ChangeDecoder decoder_;
    SqliteStatement rows_;
    SqliteStatement data_version_statement_;
    CommitWatch watch_;
    Acknowledger acknowledger_;

    std::vector<TablePtr> tables_;        ///< Only where parts of tables are carried.
    bool carries_parts_ = false;
    LogEnd last_;                         ///< The last target that was reached.
    LogEnd target_;                       ///< What is being read; equal to last_ between transactions.
    std::uint64_t cursor_ = 0;            ///< The last row taken.
    std::int64_t cursor_tag_ = 0;
    std::uint64_t emitted_ = 0;           ///< Position of the last Commit; behind last_ when all since belonged to other streams.
    std::optional<std::uint64_t> fence_;  ///< A commit boundary at which a merged transaction has to end.
    bool whole_ = false;
    bool begun_ = false;                  ///< A Begin without its Commit has been emitted.

    int wake_fd_ = -1;
    bool look_needed_ = true;
    bool shapes_moved_ = false;           ///< A table changed its shape, which is still to be written into the log.
    bool wal_ = false;
    std::uint32_t change_counter_ = 0;
    std::int64_t data_version_ = -1;
    std::int64_t schema_version_ = -1;
    Clock::time_point last_look_{};
    Clock::time_point last_commit_{};
    std::optional<Clock::time_point> busy_since_;
};

}  // namespace rowferry
