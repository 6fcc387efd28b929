#include "decoder/sqlite_wal/wal_stream.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "decoder/sqlite_wal/wal_file.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

constexpr auto kPinInterval = milliseconds{200};
constexpr std::uint64_t kSegmentBytes = 32ULL << 20;
constexpr int kBoundTries = 8;
constexpr int kBarrierTries = 2000;
constexpr auto kBarrierTime = milliseconds{8};
constexpr auto kAsideTime = milliseconds{200};
constexpr auto kAsidePause = std::chrono::microseconds{50};
constexpr std::uint32_t kAlmostRead = 64;  // frames; a writer that never pauses is never caught up with for good
constexpr auto kKeepUpInterval = std::chrono::microseconds{500};
constexpr auto kQuietTime = milliseconds{50};  // no writer's own checkpoint is under way, it seems
// In the first page. Neither ever goes back in one history; the first stands still while one connection writes alone.
constexpr std::size_t kChangeCounter = 24;
constexpr std::size_t kSchemaCookie = 40;
constexpr const char* kWayOut = "`rowferry drop LEADER FOLLOWER`, then `rowferry run` with --on-existing truncate copies again";

std::uint32_t big_endian(std::span<const std::byte> bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
    return value;
}

}  // namespace

WalStream::WalStream(WalAccess& access, Generations generations, std::unique_ptr<PageStore> store, bool shadowed, bool held, Position until,
                     const WalLimits& limits, const StopSignal& stop)
    : access_{access},
      generations_{std::move(generations)},
      store_{std::move(store)},
      shadowed_{shadowed},
      until_{until},
      limits_{limits},
      stop_{stop},
      pins_{access.path(), access.index()},
      wal_{access.wal_path(), access.page_size()} {
    connect(held);
}

void WalStream::halt(const std::string& what) const {
    throw HaltError{fmt::format("{}: at {}: {}; {}", printable(access_.path()), to_string(PositionKind::frame, store_->state().place.position()), what, kWayOut)};
}

/// Does the leader's log, as it is now, continue the store's place?
void WalStream::connect(bool held) {
    pins_.hold();
    const std::optional<WalPlace> read_ahead = store_->log().end_of_pending();
    const WalPlace place = read_ahead.value_or(store_->state().place);
    const WalIndexHeader now = access_.index().read();
    generation_ = place.generation;
    if (access_.page_size() != store_->state().page_size)
        halt(fmt::format("its pages have {} bytes now, and had {}", access_.page_size(), store_->state().page_size));
    // Where there is no log there are no salts, and there may have been one in the meantime.
    const bool known_log = held || !(now.salts == WalSalts{});
    if (!(now.salts == place.salts) || !known_log) {
        if (!shadowed_) halt("its log began anew while nobody read it: what it held is gone, and there is no shadow to compare with");
        if (!read_ahead || place.salts == now.salts) return compare();
        // What was read is looked at first. What the log held behind it cannot be told from its file: it was perhaps cut.
        away_ = true;
        WalIndexHeader then = now;
        then.salts = place.salts;
        return wal_.begin(then, place.frame, place.checksum);
    }
    wal_.begin(now, place.frame, place.checksum);
    const FrameHeader known = place.frame == 0 || now.last_frame < place.frame ? FrameHeader{} : wal_.header_of(place.frame);
    const bool continues = now.last_frame >= place.frame && known.checksum == place.checksum;
    if (!continues && read_ahead) {
        store_->log().cut();  // the follower has nothing of it
        return connect(held);
    }
    if (!continues)
        halt(fmt::format("its log {} what the follower has: it lost its end (a power cut with synchronous = NORMAL does that), or is that of an older copy",
                         now.last_frame < place.frame ? "ends before" : "has something else in the place of"));
    if (!shadowed_) keep_before_images(now);
}

/// Without a shadow: pages that frames behind our place will change are still in the database as they were, unless a checkpoint went beyond it. From
/// now on one may: our pin stands at the log's end.
void WalStream::keep_before_images(const WalIndexHeader& now) {
    auto& base = dynamic_cast<BorrowedPages&>(store_->base());
    const std::uint32_t first = store_->state().place.frame;
    for (std::uint32_t frame = first + 1; frame <= now.last_frame; ++frame)
        if (const std::uint32_t page = wal_.header_of(frame).page; page != 0 && page <= store_->state().pages) base.keep(page);
    base.finish(store_->state());
    if (access_.index().backfill().most() > first || !(access_.index().read().salts == now.salts))
        halt("a checkpoint copied later commits into the database while nobody read its log, and there is no shadow to compare with");
}

bool WalStream::restarted_unseen() const {
    // A pinned log begins anew once at most, and only at the pin's own place.
    return !pins_.oldest() || !(pins_.oldest()->salts == wal_.salts()) || wal_.frame() < pins_.oldest()->frame;
}

bool WalStream::poll() {
    if (!store_->log().has_commit()) {
        if (failed_ahead_) std::rethrow_exception(failed_ahead_);
        read_more();
    }
    return store_->log().has_commit();
}

/// What the leader has committed, up to some megabytes.
void WalStream::read_more() {
    for (std::size_t read = 0; read < 2 * kReadBytes;) {
        const WalIndexHeader now = access_.index().read();
        if (now.salts == wal_.salts()) {
            if (now.last_frame < wal_.frame()) halt("its log lost frames that were committed: the leader crashed, or its log was replaced");
            if (now.last_frame == wal_.frame()) return;
            const std::uint32_t before = wal_.frame();
            append(now);
            read += std::uint64_t{wal_.frame() - before} * store_->state().page_size;
        } else if (!restarted_unseen() || (!away_ && finish_log(now))) {
            begin_anew(now);
        } else {
            // What is there whole is looked at first: the comparison begins behind it.
            if (store_->log().has_commit()) return;
            compare();
        }
    }
}

/// More than what the follower is about to take: as far as there is room, and without hiding that from it by a failure.
void WalStream::read_ahead() {
    if (!store_->log().has_commit() && !failed_ahead_) return read_more();
    if (failed_ahead_ || store_->log().pending_size() >= limits_.most) return;
    try {
        read_more();
    } catch (const std::exception& error) {
        spdlog::debug("{}: reading ahead: {}", printable(access_.path()), error.what());
        failed_ahead_ = std::current_exception();
    }
}

std::uint64_t WalStream::log_size() const {
    const WalIndexHeader now = access_.index().read();
    return frame_offset((now.salts == wal_.salts() ? std::max(now.last_frame, wal_.frame()) : wal_.frame()) + 1, store_->state().page_size);
}

void WalStream::let_pins_go() {
    const WalIndexHeader now = access_.index().read();
    end_at_release_ = now.salts == wal_.salts() ? now.last_frame : wal_.frame();
    size_at_release_ = wal_.size();
    pins_.release();
    next_read_at_.reset();
}

void WalStream::begin_anew(const WalIndexHeader& now) {
    generation_ = generations_.number(now.salts, generation_ + 1);
    wal_.begin(now, 0, {});
    pins_.hold();  // where we had let go of it
    released_ = false;
    ++counters_.restarts;
    bounded_at_ = 0;
}

/// The log began anew while we had let go of it. Once, a moment ago, and what it held last still stands behind the new frames: then nothing was missed.
bool WalStream::finish_log(const WalIndexHeader& now) {
    if (!shadowed_ || now.salts.first != wal_.salts().first + 1) return false;
    const auto rest = wal_.read_rest(buffer_, kReadBytes, size_at_release_);
    if (!rest || wal_.frame() + rest->size() / (kFrameHeaderSize + store_->state().page_size) < end_at_release_) return false;
    if (rest->empty()) return true;
    // A writer that died in the middle leaves a commit in the file that is none: it is not in the database, where everything was copied that was committed.
    if (!is_in_database(*rest) || access_.index().backfill().most() != 0 || !(access_.index().read().salts == now.salts)) return false;
    const std::uint32_t first = wal_.frame() + 1;
    wal_.take(*rest);
    store_->log().append({FrameOrigin::log, generation_, wal_.salts(), first}, *rest);
    return true;
}

bool WalStream::is_in_database(std::span<const std::byte> frames) const {
    const std::size_t size = store_->state().page_size;
    std::map<std::uint32_t, std::span<const std::byte>> last;
    std::uint32_t pages = 0;
    for (std::size_t at = 0; at < frames.size(); at += kFrameHeaderSize + size) {
        const FrameHeader header = parse_frame_header(frames.subspan(at));
        last[header.page] = frames.subspan(at + kFrameHeaderSize, size);
        if (header.commits()) pages = header.pages_after_commit;
    }
    std::vector<std::byte> page(size);
    return std::ranges::all_of(last, [&](const auto& each) {
        const auto& [number, bytes] = each;
        return number > pages || (access_.database().read(std::uint64_t{number - 1} * size, page) == size && std::ranges::equal(page, bytes));
    });
}

void WalStream::append(const WalIndexHeader& now) {
    const std::span<const std::byte> frames = wal_.read(now.last_frame, buffer_, kReadBytes);
    // Nobody holds the log while we have let go of it: what was read may be half of the next one.
    if (!(access_.index().read().salts == wal_.salts())) return;
    const std::uint32_t first = wal_.frame() + 1;
    wal_.take(frames);
    tell_unsummed();
    FrameLog& log = store_->log();
    if (log.last_segment_size() >= kSegmentBytes && !log.inside_commit()) log.begin_segment();
    log.append({FrameOrigin::log, generation_, wal_.salts(), first}, frames);
}

void WalStream::tell_unsummed() {
    if (wal_.unsummed() == counters_.unsummed) return;
    if (counters_.unsummed == 0)
        spdlog::warn("{}: SQLite committed frames without a checksum (before frame {} of its log). They are replicated, but would not survive a crash of the leader, nor would what is "
                     "committed behind them until the next checkpoint: this happens in some versions after ROLLBACK TO in a transaction larger than the cache",
                     printable(access_.path()), wal_.frame() + 1);
    counters_.unsummed = wal_.unsummed();
}

/// One commit out of everything that happened since the store's place.
void WalStream::compare() {
    if (!shadowed_) halt("its log began anew before it was read (it had grown beyond --max-wal, or nobody held it), and there is no shadow to compare with");
    const Position place = store_->state().place.position();
    if (place < until_)
        halt(fmt::format("the shadow ends before what the follower has ({}), and the leader's log no longer has what lies between", to_string(PositionKind::frame, until_)));
    spdlog::info("{}: what was committed since {} is no longer in its log: comparing it with the shadow", printable(access_.path()), to_string(PositionKind::frame, place));
    store_->log().cut();
    const WalIndexHeader now = pins_.hold_exactly();
    released_ = false;
    away_ = false;
    next_read_at_.reset();
    wal_.begin(now, now.last_frame, {});
    if (now.last_frame != 0) wal_.begin(now, now.last_frame, wal_.header_of(now.last_frame).checksum);
    generation_ = generations_.number(now.salts, generation_ + 1);
    append_differences(LivePages{access_.database(), wal_, now, access_.page_count(now)}, now);
    ++counters_.comparisons;
    bounded_at_ = 0;
}

/// A leader that was set back to an earlier state counts from an earlier number.
void WalStream::check_not_behind(std::span<const std::byte> live) const {
    const auto ours = store_->before().page(1);
    const auto is_behind = [&](std::size_t at) { return static_cast<std::int32_t>(big_endian(live, at) - big_endian(ours, at)) < 0; };
    if (is_behind(kChangeCounter) || is_behind(kSchemaCookie))
        halt("the leader is behind it: it lost the end of its history, or was restored from a backup");
}

void WalStream::append_differences(const LivePages& live, const WalIndexHeader& now) {
    const std::uint32_t size = store_->state().page_size;
    const std::size_t frame_size = kFrameHeaderSize + size;
    const FrameBatch batch{FrameOrigin::diff, generation_, now.salts, now.last_frame};
    std::vector<std::byte> page(size);
    std::vector<std::byte> frames;
    const auto add = [&](FrameHeader header) {
        frames.resize(frames.size() + frame_size);
        write_frame_header(header, std::span{frames}.last(frame_size));
        std::memcpy(frames.data() + frames.size() - size, page.data(), size);
        if (frames.size() < kReadBytes && !header.commits()) return;
        store_->log().append(batch, frames);
        frames.clear();
    };
    if (live.page_count() == 0) halt("the database is empty now");
    live.read(1, page);
    check_not_behind(page);
    if (store_->log().last_segment_size() >= kSegmentBytes) store_->log().begin_segment();
    std::uint32_t changed = 0;
    for (std::uint32_t number = 2; number <= live.page_count(); ++number) {
        if (number % kPagesPerLook == 0) stop_.check();
        live.read(number, page);
        if (number <= store_->state().pages && std::memcmp(store_->before().page(number).data(), page.data(), size) == 0) continue;
        ++changed;
        add({number, 0, now.salts, {}});
    }
    live.read(1, page);
    add({1, live.page_count(), now.salts, now.last_frame == 0 ? WalChecksum{} : wal_.header_of(now.last_frame).checksum});
    spdlog::info("{}: {} of {} pages differ; going on at {}", printable(access_.path()), changed + 1, live.page_count(),
                 to_string(PositionKind::frame, {generation_, now.last_frame}));
}

void WalStream::maintain(Position durable) {
    if (store_->fold(durable) > 0) spdlog::debug("{}: folded up to {}", printable(access_.path()), to_string(PositionKind::frame, durable));
    if (released_) return;  // until the log has begun anew
    const std::uint64_t size = log_size();
    if (!failed_ahead_) {
        move_pins(durable);
        const bool has_room = store_->log().pending_size() < limits_.most;
        if (has_room && size > limits_.bound && size - std::min(bounded_at_, size) > limits_.bound / 4) bound_log(durable);
    }
    if (log_size() > limits_.most) let_go();
}

void WalStream::keep_up(Position durable) {
    if (!shadowed_ || Clock::now() - kept_up_ < kKeepUpInterval) return;
    read_ahead();
    maintain(durable);
    kept_up_ = Clock::now();
}

void WalStream::move_pins(Position durable) {
    if (pins_.next()) {
        if (!next_read_at_ && pins_.next()->salts == wal_.salts() && wal_.frame() >= pins_.next()->frame) next_read_at_ = read_to();
        // With a shadow our log has what we read; without one the follower has to.
        if (!next_read_at_ || (!shadowed_ && durable < *next_read_at_)) return;
        pins_.advance();
        pinned_at_ = next_pin_at_;
        next_read_at_.reset();
        last_pin_ = Clock::now();
    } else if (Clock::now() - last_pin_ >= kPinInterval && (read_to() != pinned_at_ || everything_is_copied())) {
        on_database_ = copied_up_to(wal_.frame());
        take_next_pin();
    }
}

/// One that is taken while something is committed may stand before the log's end, and has to be moved once more when nothing follows: it would keep a checkpoint of the application waiting.
void WalStream::take_next_pin() {
    const Position before = read_to();
    pins_.take_next();
    const bool at_end = pins_.next() && pins_.next()->salts == wal_.salts() && pins_.next()->frame == before.minor;
    next_pin_at_ = at_end ? before : Position{};
}

bool WalStream::copied_up_to(std::uint32_t frame) const { return frame != 0 && access_.index().backfill().done >= frame; }

/// A pin in the log's frames makes a checkpoint of the application that wants the log to begin anew (RESTART, TRUNCATE) wait, and its writers with it. Once everything
/// is in the database, a new pin stands there instead and is in nobody's way.
bool WalStream::everything_is_copied() const { return !on_database_ && copied_up_to(wal_.frame()); }

void WalStream::bound_log(Position durable) {
    bounded_at_ = log_size();
    if (!step_aside()) attempt_restart(durable);
}

/// Under writers that never pause for as long as a checkpoint of ours takes with its syncs, no pin can ever be taken on the database. Their own checkpoints could begin the log anew,
/// each right behind its writer's commit, if our pin were not there. So it is taken away for a moment, in which we do nothing but read: should the log begin anew with commits that we had
/// not seen, they stand in the file still. Without a shadow pages have to stay as they were, and the pin where it is.
bool WalStream::step_aside() {
    if (!shadowed_) return false;
    const std::uint64_t restarts = counters_.restarts + counters_.comparisons;
    const auto end = Clock::now() + kAsideTime;
    Position reached;
    auto last_commit = Clock::now();
    bool held = true;
    do {
        read_ahead();
        if (read_to() != reached) last_commit = Clock::now();
        reached = read_to();
        const WalIndexHeader now = access_.index().read();
        const bool same_log = now.salts == wal_.salts();
        const bool everything = same_log && now.last_frame == wal_.frame();
        if (held && same_log && now.last_frame - wal_.frame() <= kAlmostRead) {
            let_pins_go();
            held = false;
            ++counters_.stepped_aside;
        }
        if (everything) std::this_thread::sleep_for(kAsidePause);
    } while (counters_.restarts + counters_.comparisons == restarts && Clock::now() < end && Clock::now() - last_commit < kQuietTime);
    pins_.hold();
    last_pin_ = Clock::now();
    pinned_at_ = {};
    return counters_.restarts + counters_.comparisons != restarts;
}

/// A pin that is taken when everything was copied into the database lets the next writer begin the log anew. That works when nothing is committed in between.
void WalStream::attempt_restart(Position durable) {
    for (int attempt = 0; attempt < kBoundTries; ++attempt) {
        const WalPins::Checkpointed done = pins_.checkpoint();
        const Position before = read_to();
        take_next_pin();
        read_ahead();
        if (failed_ahead_) return;
        move_pins(durable);
        if (pins_.next()) return;
        if (done.complete() && read_to() == before) return;
    }
    if (limits_.barrier != 0 && log_size() > limits_.barrier) barrier();
}

/// Last resort under writers that never pause. A deferred transaction of the application that reads first and writes then gets SQLITE_BUSY meanwhile.
void WalStream::barrier() {
    for (int attempt = 0; attempt < kBarrierTries; ++attempt) {
        if (!pins_.lock_writers()) {
            std::this_thread::sleep_for(std::chrono::microseconds{20});
            continue;
        }
        const auto end = Clock::now() + kBarrierTime;
        read_ahead();
        const WalIndexHeader now = access_.index().read();
        // More than can be read in a moment; or, without a shadow, commits whose pages the database still has to have as they were before.
        const bool behind = failed_ahead_ || !(now.salts == wal_.salts()) || now.last_frame != wal_.frame() || (!shadowed_ && store_->state().place.position() != read_to());
        if (behind) {
            pins_.unlock_writers();
            return;
        }
        pins_.release();
        while (!pins_.checkpoint().complete() && Clock::now() < end) std::this_thread::sleep_for(std::chrono::microseconds{200});
        pins_.hold();
        pins_.unlock_writers();
        next_read_at_.reset();
        ++counters_.barriers;
        bounded_at_ = log_size();
        return;
    }
}

void WalStream::let_go() {
    static_cast<void>(pins_.checkpoint());
    let_pins_go();
    released_ = true;
    ++counters_.let_go;
    spdlog::warn("{}: its log has grown to {} MB, more than --max-wal allows: it is let go of and may begin anew. {}", printable(access_.path()), log_size() >> 20,
                 shadowed_ ? "What is not read by then comes by a comparison with the shadow" : "Without a shadow what is not read by then is lost to this stream, which then stops");
}

}  // namespace rowferry
