#include "statements/postgresql/pg_statement_source.h"

#include <algorithm>
#include <array>

#include <poll.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kShortestNap{10};
constexpr milliseconds kLongestNap{200};
// What is run before it is given out: as much as makes a good group for the follower.
constexpr milliseconds kTurn{200};
constexpr std::chrono::seconds kCatchUpPatience{60};

}  // namespace

void PgStatementSource::read(Batch& batch, std::size_t budget, milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    for (;;) {
        bool was_read = false;
        if (!player_->is_tainted()) {
            const std::size_t before = batch.events().size();
            changes_->read(batch, budget, milliseconds{0});
            if (batch.events().size() > before) {
                nap_ = kShortestNap;
                return;
            }
            was_read = true;
        }
        try {
            if (player_->play(kTurn, was_read)) continue;
        } catch (const HaltError&) {
            // Behind what is whole, which the follower has to have first.
            if (!give_up_) give_up_ = Clock::now() + kCatchUpPatience;
            if (durable_ >= changes_->given() || Clock::now() >= *give_up_) throw;
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return;
        std::array<pollfd, 2> waited{pollfd{stop_.fd(), POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
        const int woken = ::poll(waited.data(), wake_fd_ >= 0 ? 2 : 1, static_cast<int>(std::min(nap_, left).count()));
        stop_.check();
        nap_ = std::min(nap_ * 2, kLongestNap);
        if (woken > 0) return;
    }
}

}  // namespace rowferry
