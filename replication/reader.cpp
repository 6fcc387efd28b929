#include "replication/reader.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "replication/backlog.h"
#include "schemas/error.h"

namespace rowferry {
namespace {
// Large enough that a follower has much to do for each and its round trips do not count, small enough that a queue of them bounds memory well.
constexpr std::size_t kBatchBytes = 8 * 1024 * 1024;
// How long what a busy leader sends may lie in the socket: it takes about a quarter of a megabyte, less in small messages, and then the sender stands still.
// Shorter naps cost more wake-ups than they bring.
constexpr std::chrono::microseconds kNap{250};
// A transaction of more than this is not a small one any more, for which a millisecond would count.
constexpr std::size_t kSmallTransaction = 8 * 1024;
constexpr int kNapsForMore = 4;
constexpr int kMostDoublings = 6;  // 16 ms
constexpr std::chrono::milliseconds kRestOfTransaction{1};
// Of a backlog as much is taken at once as comes within this.
constexpr std::chrono::milliseconds kLongestGathering{50};
// The leader hears from us at least this often, whatever the applier does.
constexpr std::chrono::milliseconds kLongestSilence{1000};
// How often a source has the word while the applier has no room: a leader may have to wait for what it reads ahead.
constexpr std::chrono::milliseconds kUpkeep{5};

/// What a batch that is being filled has to say, each event looked at once.
class Filling {
public:
    explicit Filling(const Batch& batch) : batch_{batch} {}
    void look() {
        for (const Event& event : batch_.events().subspan(seen_)) ends_ = ends_ || std::holds_alternative<Commit>(event) || std::holds_alternative<Idle>(event);
        seen_ = batch_.events().size();
    }
    /// Is there nothing in it that the applier could commit?
    [[nodiscard]] bool is_inside() const { return !batch_.empty() && !ends_; }
    [[nodiscard]] bool is_backlog() const { return ends_ && rowferry::is_backlog(batch_); }

private:
    const Batch& batch_;
    std::size_t seen_ = 0;
    bool ends_ = false;
};

}  // namespace

Reader::Reader(std::unique_ptr<Source> source, BatchQueue& queue, const Acknowledgement& acknowledgement, Waker& progress)
    : source_{std::move(source)}, queue_{queue}, acknowledgement_{acknowledgement}, progress_{progress} {
    source_->wake_on(progress_.fd());
    leader_waits_ = source_->leader_waits_for_us();
    thread_ = std::thread{[this] { run(); }};
}

Reader::~Reader() {
    queue_.cancel();
    progress_.wake();
    thread_.join();
}

void Reader::fill(Batch& batch) {
    source_->read(batch, kBatchBytes, kLongestSilence);
    Filling filling{batch};
    filling.look();
    const auto begun = std::chrono::steady_clock::now();
    for (int quiet = 0; !batch.empty() && batch.size_bytes() < kBatchBytes;) {
        // Nobody can commit a transaction before its end has come: of one that is not small, what a busy leader sends is taken in few large pieces, instead of
        // waking both threads for every one of its messages. Of a backlog too: the follower then has fewer commits, and nobody waits for milliseconds of it.
        const bool more_expected = quiet < kNapsForMore;
        const bool large = more_expected && filling.is_inside() && transaction_bytes_ + batch.size_bytes() >= kSmallTransaction;
        const bool backlog = more_expected && !source_->leader_waits_for_us() && std::chrono::steady_clock::now() - begun < kLongestGathering && filling.is_backlog();
        // What a small transaction has begun with is nothing that the applier could do before the rest has come.
        const bool beginning = more_expected && filling.is_inside() && !large;
        // While the applier is busy there is no hurry either, but the leader is read all the same: it stands still when nobody takes what it sends. One that
        // sends nothing is asked more and more seldom.
        if (large || backlog)
            std::this_thread::sleep_for(kNap);
        else if (!beginning && queue_.wait_until_taken(kNap * (1 << std::min(quiet, kMostDoublings))))
            break;
        progress_.clear();
        source_->report(acknowledgement_.durable());
        const std::size_t before = batch.size_bytes();
        source_->read(batch, kBatchBytes, beginning ? kRestOfTransaction : std::chrono::milliseconds{0});
        filling.look();
        quiet = batch.size_bytes() == before ? quiet + 1 : 0;
    }
    transaction_bytes_ = filling.is_inside() ? transaction_bytes_ + batch.size_bytes() : 0;
    leader_waits_.store(source_->leader_waits_for_us(), std::memory_order_relaxed);
    progress_.clear();
    source_->report(acknowledgement_.durable());
}

void Reader::read_until_cancelled() {
    while (!queue_.cancelled()) {
        BatchPtr batch = queue_.take_empty();
        std::exception_ptr failure;
        try {
            fill(*batch);
        } catch (...) {
            // What came before goes to the applier first, so that the stream stops at the last good place and not somewhere before it.
            failure = std::current_exception();
        }
        if (batch->empty())
            queue_.recycle(std::move(batch));
        else
            while (!queue_.push(batch, failure ? kLongestSilence : kUpkeep) && !queue_.cancelled()) {
                if (failure) continue;
                try {
                    source_->report(acknowledgement_.durable());
                } catch (...) {
                    failure = std::current_exception();
                }
            }
        if (failure) std::rethrow_exception(failure);
    }
    source_->report(acknowledgement_.durable());
}

void Reader::last_report() noexcept {
    try {
        source_->report(acknowledgement_.durable());
    } catch (const std::exception& error) {
        spdlog::debug("the last report: {}", error.what());
    }
}

void Reader::run() noexcept {
    try {
        read_until_cancelled();
        queue_.close(nullptr);
    } catch (const InterruptedError&) {
        // A signal: what the applier still commits is reported before the end, so that nobody on the leader waits for it in vain.
        queue_.close(std::current_exception());
        queue_.wait_until_cancelled();
        last_report();
    } catch (...) {
        queue_.close(std::current_exception());
    }
    try {
        source_.reset();
    } catch (const std::exception& error) {
        spdlog::debug("closing the source: {}", error.what());
    }
}

}  // namespace rowferry
