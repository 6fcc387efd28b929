#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "db/sqlite.h"

namespace rowferry {

/// Tells the leader's file what is durable on the follower, and removes what every stream has. Each write holds the file's write lock for
/// about 5 ms at most and is skipped when somebody else holds it. Its own connection; never call it while the reader has a transaction.
/// Errors other than a busy file are SqliteErrors.
class Acknowledger {
public:
    Acknowledger(std::string path, std::string stream, std::string follower_id, std::uint64_t acked);
    /// One last acknowledgement, if it is to be had without waiting.
    ~Acknowledger();
    Acknowledger(const Acknowledger&) = delete;
    Acknowledger& operator=(const Acknowledger&) = delete;

    /// `durable` is a position the stream reached. Writes at most once a second, and prunes in pieces with pauses.
    void report(std::uint64_t durable);

    /// Nothing more is to be written, not even at the end.
    void abandon() noexcept { durable_ = acked_; }

    [[nodiscard]] std::uint64_t acked() const noexcept { return acked_; }

private:
    using Clock = std::chrono::steady_clock;
    SqliteDatabase& writer();
    void write_acknowledgement();
    void prune_piece();
    void adapt(Clock::duration held);

    std::string path_;
    std::string stream_;
    std::string follower_id_;
    std::unique_ptr<SqliteDatabase> writer_;
    std::uint64_t durable_ = 0;
    std::uint64_t acked_ = 0;        ///< As the leader's file says.
    std::uint64_t prune_below_ = 0;  ///< Every stream has acknowledged up to here; the row itself stays.
    bool more_to_prune_ = false;
    std::uint64_t piece_;  ///< Rows per piece, adapted to the time it takes.
    Clock::time_point next_ack_{};
    Clock::time_point next_prune_{};
};

/// Empties the log in such pieces, when no stream is left. Returns false when the file stayed busy.
bool prune_everything(SqliteDatabase& db);

}  // namespace rowferry
