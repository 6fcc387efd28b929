#include "decoder/sqlite_wal/page_store.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

// Pages that were handed out count as memory of ours until the mappings are told to forget them.
constexpr std::uint64_t kForgetBytes = 24ULL << 20;

}  // namespace

PageStore::PageStore(std::unique_ptr<BasePages> base, FrameLog log, const StoreState& state) : base_{std::move(base)}, log_{std::move(log)}, state_{state} {}

std::span<const std::byte> PageStore::page(std::uint32_t number, bool after) const {
    const std::uint32_t count = after ? commit_.pages : state_.pages;
    if (number == 0 || number > count)
        throw DecodeError{fmt::format("page {} is asked for, and at {} the database has {}", number,
                                      to_string(PositionKind::frame, (after ? commit_.place : state_.place).position()), count)};
    count_handed_out();
    if (after)
        if (const std::uint64_t* place = commit_.images.find(number)) return log_.page(*place);
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
        if (const std::uint64_t* place = layer->images.find(number)) return log_.page(*place);
    return base_->page(number);
}

void PageStore::count_handed_out() const {
    handed_out_ += state_.page_size;
    if (handed_out_ <= kForgetBytes) return;
    handed_out_ = 0;
    log_.forget();
    base_->forget();
}

bool PageStore::open_commit(Position limit) {
    if (open_) throw std::logic_error{"a commit is open"};
    if (!log_.next(commit_, limit)) return false;
    changed_.clear();
    commit_.images.for_each([&](std::uint32_t page, std::uint64_t) { changed_.push_back(page); });
    std::ranges::sort(changed_);
    open_ = true;
    return true;
}

void PageStore::close_commit() {
    if (!open_) throw std::logic_error{"no commit is open"};
    open_ = false;
    state_.place = commit_.place;
    state_.pages = commit_.pages;
    std::uint64_t segment = 0;
    commit_.images.for_each([&](std::uint32_t, std::uint64_t place) { segment = FrameLog::segment_of(place); });
    if (layers_.empty() || layers_.back().segment != segment) layers_.push_back({segment, {}, {}});
    Layer& layer = layers_.back();
    for (const std::uint32_t page : changed_) layer.images.put(page, *commit_.images.find(page));
    layer.end = state_;
}

std::size_t PageStore::fold(Position durable) {
    if (open_) throw std::logic_error{"a commit is open"};
    std::size_t folded = 0;
    // The last segment is still being written.
    while (layers_.size() > 0 && layers_.front().segment < log_.last_segment() && layers_.front().end.place.position() <= durable) {
        // Commits of it that were not looked at yet follow.
        if (log_.first_pending_segment() == layers_.front().segment) break;
        fold_first();
        ++folded;
    }
    return folded;
}

void PageStore::fold_first() {
    const Layer& layer = layers_.front();
    if (layer.segment != log_.first_segment()) throw std::logic_error{"segments out of order"};
    // While the base is between two places, the log has to bring it to the later one.
    log_.sync_first();
    std::vector<std::uint32_t> pages;
    pages.reserve(layer.images.size());
    layer.images.for_each([&](std::uint32_t page, std::uint64_t) {
        if (page <= layer.end.pages) pages.push_back(page);
    });
    std::ranges::sort(pages);
    for (const std::uint32_t page : pages) {
        base_->write(page, log_.page(*layer.images.find(page)));
        count_handed_out();
    }
    base_->finish(layer.end);
    log_.drop_first();
    layers_.pop_front();
}

}  // namespace rowferry
