#include "decoder/sqlite_wal/sqlite_wal_source.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr int kLooksAtOnce = 20;
constexpr auto kLookPause = std::chrono::microseconds{50};
constexpr auto kLookInterval = milliseconds{1};
constexpr auto kFileInterval = milliseconds{200};           // how often the path is looked at
constexpr auto kForeignInterval = std::chrono::seconds{1};  // how often a position is passed on when nothing of the stream's tables changed
constexpr auto kLongestSyncPause = milliseconds{100};
constexpr std::size_t kResumeSize = 32;

const char* way_out() { return "`rowferry drop LEADER FOLLOWER`, then `rowferry run` with --on-existing truncate copies again"; }

WalLimits limits_of(const SqliteLogOptions& options) {
    WalLimits limits;
    limits.most = options.most_log;
    limits.bound = std::min(limits.bound, options.most_log / 2);
    limits.barrier = options.barrier;
    return limits;
}

}  // namespace

std::string resume_of(const WalPlace& place) {
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", place.salts.first, place.salts.second, place.checksum.first, place.checksum.second);
}

WalPlace place_of(Position position, const std::string& resume) {
    std::uint32_t words[4] = {};
    bool whole = resume.size() == kResumeSize && position.minor <= 0xFFFFFFFFU;
    for (std::size_t i = 0; i < 4 && whole; ++i) {
        const char* const begin = resume.data() + 8 * i;
        const auto [end, failure] = std::from_chars(begin, begin + 8, words[i], 16);
        whole = failure == std::errc{} && end == begin + 8;
    }
    if (!whole) throw HaltError{"the checkpoint's resume text is not that of a SQLite leader that is captured from its log"};
    return {position.major, static_cast<std::uint32_t>(position.minor), {words[0], words[1]}, {words[2], words[3]}};
}

SqliteWalSource::SqliteWalSource(Parts parts, const StreamRequest& request, const Checkpoint& checkpoint, const StopSignal& stop)
    : path_{parts.path},
      stream_name_{checkpoint.stream},
      file_{std::move(parts.lock)},
      access_{std::move(parts.access)},
      stop_{stop},
      stream_{*access_, std::move(parts.generations), std::move(parts.store), parts.shadowed, parts.held, checkpoint.position, limits_of(request.log), stop},
      tables_{request, checkpoint, fmt::format("{}: stream {}", printable(path_), checkpoint.stream), access_->db().query_text("PRAGMA main.encoding")},
      watch_{access_->path()},
      emitted_{checkpoint.position},
      durable_{checkpoint.position},
      waits_for_disk_{!request.temporary},
      settled_{checkpoint.position} {
    reach(checkpoint.position);
    decode([&] { decoder_ = std::make_unique<CommitDecoder>(stream_.store().before(), tables_); });
    tables_.begun();
    last_commit_ = Clock::now();
}

SqliteWalSource::~SqliteWalSource() {
    const WalCounters& counted = stream_.counters();
    spdlog::debug("{}: the log began anew {} times; {} comparisons with the shadow; let go of {} times; {} barriers", printable(path_), counted.restarts, counted.comparisons, counted.let_go,
                  counted.barriers);
}

/// The store may end before the follower's place, and what is missing be in the leader's log still.
void SqliteWalSource::reach(Position start) {
    PageStore& store = stream_.store();
    while (store.state().place.position() < start) {
        if (!stream_.poll() || !store.open_commit(start))
            throw HaltError{fmt::format("{}: stream {}: the shadow ends at {}, before what the follower has ({}), and the leader's log has nothing that ends there; {}", printable(path_), stream_name_,
                                        to_string(PositionKind::frame, store.state().place.position()), to_string(PositionKind::frame, start), way_out())};
        store.close_commit();
    }
}

template <typename Action>
void SqliteWalSource::decode(const Action& action) {
    const auto where = [&] {
        const PageStore& store = stream_.store();
        return fmt::format("{}: stream {}, commit {}", printable(path_), stream_name_, to_string(PositionKind::frame, (store.is_open() ? store.commit().place : store.state().place).position()));
    };
    try {
        action();
    } catch (const ValueError& error) {
        throw HaltError{fmt::format("{}: {}", where(), error.what())};
    } catch (const DecodeError& error) {
        throw HaltError{fmt::format("{}: {}: the leader's pages are damaged, or not what SQLite writes. `PRAGMA integrity_check` on the leader tells; when that is well, {}", where(), error.what(), way_out())};
    }
}

void SqliteWalSource::read(Batch& batch, std::size_t budget, milliseconds wait) {
    try {
        fill(batch, budget, wait);
        wait_for_turn();
    } catch (...) {
        // What stands in front of the failure goes on to the follower all the same.
        settle(batch);
        throw;
    }
    settle(batch);
}

/// Syncs take the disk's time from the application's own, so no more than a fifth of it.
void SqliteWalSource::wait_for_turn() {
    if (!waits_for_disk_ || emitted_ == settled_) return;
    while (Clock::now() < next_sync_) {
        if (!inside_) stream_.keep_up(durable_);
        std::this_thread::sleep_for(std::min<Clock::duration>(kLookInterval, next_sync_ - Clock::now()));
    }
}

/// One sync for all commits of a batch. Without it none of them is handed out.
void SqliteWalSource::settle(Batch& batch) {
    if (!waits_for_disk_ || emitted_ == settled_) return;
    const auto begun = Clock::now();
    try {
        stream_.sync_leader();
    } catch (...) {
        batch.clear();
        throw;
    }
    const auto ended = Clock::now();
    next_sync_ = ended + std::min<Clock::duration>(4 * (ended - begun), kLongestSyncPause);
    settled_ = emitted_;
}

void SqliteWalSource::fill(Batch& batch, std::size_t budget, milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    begin_at_.reset();
    for (;;) {
        stop_.check();
        check_file();
        while (batch.size_bytes() < budget && (inside_ || begin_commit(batch))) {
            continue_commit(batch, budget);
            if (!inside_) stream_.keep_up(durable_);
        }
        if (inside_ || batch.size_bytes() >= budget) return;
        pass_on(batch);
        stream_.maintain(durable_);
        if (stream_.poll()) continue;
        if (!batch.empty()) return;
        const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
        if (left <= milliseconds::zero() || woken()) return;
        wait_for_write(left);
    }
}

bool SqliteWalSource::begin_commit(Batch& batch) {
    PageStore& store = stream_.store();
    if (!store.open_commit()) return false;
    decode([&] { decoder_->begin(store.before(), store.after(), store.changed()); });
    const Begin begin{store.state().place.position(), 0, store.commit().merged ? Boundary::merged : Boundary::exact};
    const bool instead = !batch.empty() && std::holds_alternative<Idle>(batch.events().back());
    if (instead)
        batch.events_being_filled().back() = begin;
    else
        batch.add(begin);
    begin_at_ = batch.events().size() - 1;
    inside_ = true;
    return true;
}

void SqliteWalSource::continue_commit(Batch& batch, std::size_t budget) {
    bool ended = false;
    decode([&] { ended = decoder_->fill(batch, budget); });
    if (begin_at_ && batch.events().size() > *begin_at_ + 1) begin_at_.reset();
    if (ended) end_commit(batch);
}

void SqliteWalSource::end_commit(Batch& batch) {
    stream_.store().close_commit();
    inside_ = false;
    if (!begin_at_) return add_commit(batch);
    // Nothing of ours: an idle position that was passed before takes the place of the Begin, and says nothing.
    batch.events_being_filled()[*begin_at_] = Idle{emitted_};
    begin_at_.reset();
    if (fence_ && emitted_ < *fence_ && stream_.store().state().place.position() >= *fence_) pass_on(batch);
}

void SqliteWalSource::add_commit(Batch& batch) {
    const WalPlace& place = stream_.store().state().place;
    batch.add(Commit{place.position(), 0, batch.arena().copy(resume_of(place))});
    emitted_ = place.position();
    last_commit_ = Clock::now();
}

/// Commits that changed nothing of ours move the position too, now and then.
void SqliteWalSource::pass_on(Batch& batch) {
    const Position reached = stream_.store().state().place.position();
    if (reached == emitted_) return;
    const bool at_fence = fence_ && emitted_ < *fence_ && reached >= *fence_;
    if (!at_fence && Clock::now() - last_commit_ < kForeignInterval) return;
    batch.add(Begin{emitted_, 0, Boundary::merged});
    add_commit(batch);
}

void SqliteWalSource::check_file() {
    const auto now = Clock::now();
    if (now - last_look_ < kFileInterval) return;
    last_look_ = now;
    if (!access_->still_there() || !file_->still_there())
        throw HaltError{fmt::format("{}: stream {} at {}: the file, or the index of its log, was moved away or replaced by another one; {}", printable(path_), stream_name_,
                                    to_string(PositionKind::frame, emitted_), way_out())};
}

void SqliteWalSource::wait_for_write(milliseconds longest) {
    if (watch_.expects_commit()) {
        const auto index = access_->index().read();
        for (int look = 0; look < kLooksAtOnce; ++look) {
            std::this_thread::sleep_for(kLookPause);
            if (!(access_->index().read() == index)) return watch_.saw_write();
        }
    }
    watch_.wait(longest, true, stop_);
}

bool SqliteWalSource::woken() const {
    pollfd waker{wake_fd_, POLLIN, 0};
    return wake_fd_ >= 0 && ::poll(&waker, 1, 0) > 0;
}

void SqliteWalSource::report(Position durable) {
    durable_ = std::max(durable_, durable);
    if (inside_) return;
    stream_.maintain(durable_);
    stream_.keep_up(durable_);
}

}  // namespace rowferry
