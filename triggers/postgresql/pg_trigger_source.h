#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/pg_link.h"
#include "db/pg_session.h"
#include "schemas/checkpoint.h"
#include "schemas/leader.h"
#include "schemas/source.h"
#include "triggers/postgresql/captured_tables.h"
#include "triggers/postgresql/log_pruner.h"
#include "triggers/postgresql/nesting_check.h"
#include "triggers/postgresql/tick.h"

namespace rowferry {

/// Reads the change log of a PostgreSQL leader in batches: what the snapshot of a later tick sees and that of an earlier one does not. Each batch is one merged transaction. The order inside is
/// that of the log, which is that of the row locks (docs/capture.md). Polls: at once while there is something, more and more seldom, down to ten times a second, while there is not.
class PgTriggerSource : public Source {
public:
    /// `checkpoint` has been verified against the leader. Holds the stream's lock on the leader.
    PgTriggerSource(const PgConninfo& conninfo, const StreamRequest& request, const Checkpoint& checkpoint, const std::string& application, const StopSignal& stop);

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { wake_fd_ = fd; }
    void cut_at(Position fence) override { fence_ = fence.major; }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return tables_.take_new_tables(); }

private:
    using Clock = std::chrono::steady_clock;
    /// The tick to go to next; nothing while there is no reason.
    std::optional<pg_capture::Tick> next_tick();
    void open_batch(pg_capture::Tick target);
    /// Looks at the catalog as the open transaction sees it, if anything changed.
    void look();
    /// Transactions and relations whose order the log does not have.
    std::string tangled_pairs(const pg_capture::SnapshotBounds& to);
    /// Those that log statements and need a comparison (nesting_check.h).
    pg_capture::NestingCheck::Crossed crossed_pairs(const pg_capture::SnapshotBounds& to);
    /// Events of the open batch; false at its end.
    bool fill(Batch& batch, std::size_t budget);
    struct Truncation {
        std::uint64_t xid = 0;
        std::vector<TablePtr> tables;
    };
    static void add_truncate(const Truncation& truncation, Batch& batch);
    void keep_truncated(const TablePtr& table);
    void add_truncates_before(Batch& batch);
    void finish_batch(Batch& batch);
    void begin(Batch& batch);

    PgSession control_;
    PgLink link_;
    std::string stream_;
    pg_capture::CapturedTables tables_;
    pg_capture::LogPruner pruner_;
    pg_capture::NestingCheck nesting_;
    pg_capture::Tick at_;                        ///< Where the stream stands.
    pg_capture::SnapshotBounds bounds_;          ///< Of at_.
    std::optional<pg_capture::Tick> target_;     ///< Of the open batch.
    std::optional<std::uint64_t> fence_;
    std::string fingerprint_;
    std::string idle_snapshot_;                  ///< Nothing of ours is between at_ and this one.
    pg_capture::LogEntry entry_;
    Arena scratch_;
    std::vector<Truncation> truncations_;        ///< Whose last table may still be to come.
    bool header_ = false;                        ///< COPY's is still to come.
    bool begun_ = false;
    int wake_fd_ = -1;
    std::deque<std::pair<std::uint64_t, std::string>> unreported_;  ///< Ticks that were handed over, with their snapshots.
    std::uint64_t acked_;
    std::chrono::milliseconds nap_{1};
    Clock::time_point next_ack_{};
    Clock::time_point next_heartbeat_{};
    Clock::time_point next_look_{};
    Clock::time_point next_empty_{};
};

}  // namespace rowferry
