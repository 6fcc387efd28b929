#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "db/sqlite.h"
#include "statements/sqlite/file_trail.h"

namespace rowferry {

/// Tells a leader's statement log what a stream's follower has, and removes what every stream has. Each write takes some milliseconds at most and is skipped when somebody else holds the
/// file. One thread. Errors other than a busy file are SqliteErrors.
class LogAcknowledger {
public:
    LogAcknowledger(std::string path, std::string stream, std::string follower_id);

    /// Up to this transaction. At most once a second, and in between what is left to prune.
    void acknowledge(std::int64_t number);

private:
    using Clock = std::chrono::steady_clock;
    [[nodiscard]] SqliteDatabase& writer();
    void write(std::int64_t number);

    std::string path_;
    std::string stream_;
    std::string follower_id_;
    FileTrail trail_;
    std::unique_ptr<SqliteDatabase> writer_;
    std::int64_t acked_ = 0;
    std::int64_t piece_ = 200;  ///< Transactions to prune at once, adapted to the time it takes.
    bool more_ = false;
    Clock::time_point next_{};
};

}  // namespace rowferry
