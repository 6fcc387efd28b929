#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/file_watch.h"
#include "db/leader_file.h"
#include "db/stop_signal.h"
#include "decoder/sqlite_wal/commit_decoder.h"
#include "decoder/sqlite_wal/wal_stream.h"
#include "decoder/sqlite_wal/wal_tables.h"
#include "schemas/source.h"

namespace rowferry {

/// What the checkpoint keeps of a place: salts and checksum of the commit's last frame. The position has the rest.
[[nodiscard]] std::string resume_of(const WalPlace& place);
/// Throws HaltError: the text comes from a checkpoint.
[[nodiscard]] WalPlace place_of(Position position, const std::string& resume);

/// Reads the log of a SQLite leader: one transaction for each commit, with its exact net change. What is handed out is on the leader's disk, so that a power cut there takes nothing back that a
/// follower has: under synchronous = NORMAL the leader itself waits for its disk at checkpoints only. Temporary streams are to look at, and do not wait.
class SqliteWalSource : public Source {
public:
    struct Parts {
        std::string path;
        std::unique_ptr<LeaderFile> lock;  ///< Holds the stream's lock.
        std::shared_ptr<WalAccess> access;
        Generations generations;
        std::unique_ptr<PageStore> store;
        bool shadowed = false;
        bool held = false;  ///< A pin was held since the checkpoint's place.
    };
    /// Throws HaltError when the leader does not continue the checkpoint.
    SqliteWalSource(Parts parts, const StreamRequest& request, const Checkpoint& checkpoint, const StopSignal& stop);
    ~SqliteWalSource() override;

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { wake_fd_ = fd; }
    void cut_at(Position fence) override { fence_ = fence; }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return tables_.take_new(); }

private:
    using Clock = std::chrono::steady_clock;

    void reach(Position start);
    void fill(Batch& batch, std::size_t budget, std::chrono::milliseconds wait);
    void wait_for_turn();
    void settle(Batch& batch);
    bool begin_commit(Batch& batch);
    void continue_commit(Batch& batch, std::size_t budget);
    void end_commit(Batch& batch);
    void pass_on(Batch& batch);
    void add_commit(Batch& batch);
    void check_file();
    void wait_for_write(std::chrono::milliseconds longest);
    [[nodiscard]] bool woken() const;
    template <typename Action>
    void decode(const Action& action);

    std::string path_;
    std::string stream_name_;
    std::unique_ptr<LeaderFile> file_;
    std::shared_ptr<WalAccess> access_;
    const StopSignal& stop_;
    WalStream stream_;
    WalTables tables_;
    std::unique_ptr<CommitDecoder> decoder_;
    CommitWatch watch_;

    Position emitted_;                    ///< Of the last Commit.
    std::optional<std::size_t> begin_at_; ///< Where in the batch the Begin of a transaction stands that has no changes yet.
    bool inside_ = false;                 ///< A commit is open.
    std::optional<Position> fence_;
    Position durable_;
    bool waits_for_disk_;
    Clock::time_point next_sync_{};
    Position settled_;                    ///< Up to here the leader's log is on its disk.
    int wake_fd_ = -1;
    Clock::time_point last_commit_{};
    Clock::time_point last_look_{};
};

}  // namespace rowferry
