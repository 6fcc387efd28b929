#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "db/stop_signal.h"
#include "schemas/source.h"
#include "statements/positioned_source.h"
#include "statements/postgresql/log_player.h"

namespace rowferry {

/// The committed transactions of a PostgreSQL statement log as row changes: runs the log on the scratch and gives out what the scratch's triggers caught. One thread.
class PgStatementSource : public Source {
public:
    PgStatementSource(std::unique_ptr<PgScratch> scratch, std::unique_ptr<LogPlayer> player, std::unique_ptr<PositionedSource> changes, const StopSignal& stop)
        : scratch_{std::move(scratch)}, player_{std::move(player)}, changes_{std::move(changes)}, stop_{stop}, durable_{changes_->given()} {}

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override {
        durable_ = std::max(durable_, durable);
        changes_->report(durable);
    }
    void wake_on(int fd) override { wake_fd_ = fd; }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return changes_->take_new_tables(); }

    /// Before the first read.
    [[nodiscard]] LogPlayer& player() noexcept { return *player_; }

private:
    std::unique_ptr<PgScratch> scratch_;
    std::unique_ptr<LogPlayer> player_;
    std::unique_ptr<PositionedSource> changes_;
    const StopSignal& stop_;
    std::chrono::milliseconds nap_{10};
    Position durable_;
    std::optional<std::chrono::steady_clock::time_point> give_up_;  ///< A stop waits until then for what is whole before it.
    int wake_fd_ = -1;
};

}  // namespace rowferry
