#include "replication/pump.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kPumpLookEvery{200};

}  // namespace

Pump::Pump(std::unique_ptr<Source> source, Sink& sink, Position from, std::optional<Position> fence, std::size_t queue_bytes, Retry& retry, Observer& observer)
    : sink_{sink},
      retry_{retry},
      acknowledgement_{from},
      queue_{queue_bytes},
      loop_{sink, from, fence, sink.group_limits(),
            [this, &observer](Position position, std::int64_t commit_time_us) {
                retry_.succeeded();
                acknowledgement_.committed(position);
                observer.following(position, commit_time_us);
            },
            [this](Position position) {
                acknowledgement_.flushed(position);
                progress_.wake();
            }},
      reader_{std::move(source), queue_, acknowledgement_, progress_} {}

/// When the source has failed what came before is committed first.
BatchPtr Pump::next_batch() {
    try {
        return queue_.pop(std::min(loop_.next_settle(ApplyLoop::Clock::now()), kPumpLookEvery));
    } catch (const InterruptedError&) {
        throw;
    } catch (...) {
        loop_.nothing_came(ApplyLoop::Clock::now());
        throw;
    }
}

void Pump::run(const StopSignal& stop, const std::function<void()>& look, const std::function<void(const Batch&)>& arrived) {
    try {
        const auto began = ApplyLoop::Clock::now();
        for (bool done = loop_.settle(began); !done;) {
            stop.check();
            // An outage is over when something was committed, or nothing went wrong for a while: an idle leader commits nothing.
            if (ApplyLoop::Clock::now() - began >= Retry::kSteadyAfter) retry_.succeeded();
            look();
            loop_.set_idle_interval(std::chrono::milliseconds{leader_waits_for_us() ? 0 : 1000});
            BatchPtr batch = next_batch();
            if (!batch) {
                done = loop_.nothing_came(ApplyLoop::Clock::now());
                continue;
            }
            if (arrived) arrived(*batch);
            done = loop_.apply(*batch, queue_.has_work(), ApplyLoop::Clock::now());
            queue_.recycle(std::move(batch));
        }
    } catch (...) {
        sink_.rollback();
        throw;
    }
}

}  // namespace rowferry
