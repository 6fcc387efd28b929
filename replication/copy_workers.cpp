#include "replication/copy_workers.h"

#include <chrono>
#include <utility>

#include "replication/copy_tables.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kLookAtWorkers{100};
// Connections that are lost again and again are an outage, which is for somebody else to sit out.
constexpr std::size_t kMostReplacements = 5;

/// Another worker has failed.
struct Abandoned {};

}  // namespace

CopyWorkers::CopyWorkers(std::vector<CopyPart> parts, Way first, std::function<Way()> open_way, const StopSignal& stop)
    : first_{std::move(first)}, open_way_{std::move(open_way)}, stop_{stop} {
    for (CopyPart& part : parts) {
        ++parts_left_[part.table->name];
        parts_.push_back(std::move(part));
    }
}

CopyWorkers::~CopyWorkers() {
    abandoned_ = true;
    for (std::thread& thread : threads_)
        if (thread.joinable()) thread.join();
}

void CopyWorkers::run(std::size_t workers, const std::function<void()>& look) {
    start(std::move(first_));
    while (threads_.size() < workers && start_another()) {}
    std::size_t replaced = 0;
    std::exception_ptr last_lost;
    for (std::unique_lock lock{mutex_}; working_ > 0 || (lost_ && !abandoned_);) {
        changed_.wait_for(lock, kLookAtWorkers, [&] { return working_ == 0 || lost_; });
        const std::exception_ptr lost = std::exchange(lost_, nullptr);
        lock.unlock();
        look();
        if (lost && !abandoned_) {
            last_lost = lost;
            if (++replaced > kMostReplacements) std::rethrow_exception(lost);
            start_another();
        }
        lock.lock();
    }
    for (std::thread& thread : threads_) thread.join();
    if (failure_) std::rethrow_exception(failure_);
    // Given back when nobody was left to take it.
    if (!parts_.empty()) std::rethrow_exception(last_lost);
}

/// False where there is no connection left for it: the others do the work.
bool CopyWorkers::start_another() {
    Way way = further_connection(open_way_);
    if (!way) return false;
    start(std::move(way));
    return true;
}

void CopyWorkers::start(Way way) {
    const std::lock_guard lock{mutex_};
    ++working_;
    threads_.emplace_back([this, way = std::move(way)]() mutable { work(way); });
}

std::string CopyWorkers::table() const {
    const std::lock_guard lock{mutex_};
    return table_;
}

bool CopyWorkers::take(CopyPart& part) {
    const std::lock_guard lock{mutex_};
    if (parts_.empty()) return false;
    part = std::move(parts_.front());
    parts_.pop_front();
    table_ = to_string(part.table->name);
    return true;
}

void CopyWorkers::done(const CopyPart& part) {
    const std::lock_guard lock{mutex_};
    if (--parts_left_[part.table->name] == 0) ++tables_done_;
}

void CopyWorkers::copy(Way& way, const CopyPart& part) {
    std::uint64_t rows = 0;
    try {
        const auto target = way.lane->copy_into(part.table);
        copy_rows(*way.reader, *target, part.table, part.range, stop_, [&](std::size_t count) {
            if (abandoned_) throw Abandoned{};
            rows += count;
            rows_ += count;
        });
    } catch (...) {
        rows_ -= rows;
        throw;
    }
}

void CopyWorkers::work(Way& way) {
    CopyPart part;
    try {
        while (!abandoned_ && take(part)) {
            copy(way, part);
            done(part);
        }
        way = {};
        end(nullptr, false, nullptr);
    } catch (const Error& error) {
        way = {};
        // A part that may be there already must not come a second time: then the whole copy begins anew.
        if (error.kind() != ErrorKind::retryable || dynamic_cast<const UnknownOutcomeError*>(&error) != nullptr) {
            abandoned_ = true;
            end(std::current_exception(), false, nullptr);
            return;
        }
        spdlog::warn("a part of {} is copied again: {}", to_string(part.table->name), error.what());
        end(std::current_exception(), true, &part);
    } catch (const Abandoned&) {
        end(nullptr, false, nullptr);
    } catch (...) {
        abandoned_ = true;
        end(std::current_exception(), false, nullptr);
    }
}

/// `lost`: of `part` nothing was kept.
void CopyWorkers::end(std::exception_ptr error, bool lost, const CopyPart* part) {
    const std::lock_guard lock{mutex_};
    if (lost) {
        parts_.push_front(*part);
        lost_ = error;
    } else if (error && !failure_) {
        failure_ = error;
    }
    --working_;
    changed_.notify_all();
}

}  // namespace rowferry
