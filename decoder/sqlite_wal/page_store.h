#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decoder/sqlite_wal/frame_log.h"
#include "decoder/sqlite_wal/kept_file.h"
#include "decoder/sqlite_wal/own_file.h"
#include "decoder/sqlite_wal/page_view.h"

namespace rowferry {

/// A place and the size of the database there.
struct StoreState {
    WalPlace place;
    std::uint32_t page_size = 0;
    std::uint32_t pages = 0;
};

/// The pages below the log: a shadow that has them all, or the leader's own file for those that were not changed since.
class BasePages {
public:
    virtual ~BasePages() = default;
    /// As PageView::page(); `number` is within the database.
    [[nodiscard]] virtual std::span<const std::byte> page(std::uint32_t number) const = 0;
    /// Makes a page that of a later place.
    virtual void write(std::uint32_t number, std::span<const std::byte> bytes) = 0;
    /// The pages are written: what they stand for is `state` from now on, also after a crash.
    virtual void finish(const StoreState& state) = 0;
    virtual void forget() const noexcept {}
};

/// A database at the stream's place: base and log, and the commit that is being looked at. Before and behind it there is a view.
///
///   base ── segment ── segment ── segment ── commits that were not looked at yet
///                                     │  open commit
///                                     └ before(), after()
///
/// A segment is folded into the base once the follower has everything in it durably: whatever place a restart begins from is then within base
/// and log. One thread. Spans of the views live until the commit is closed.
class PageStore {
public:
    PageStore(std::unique_ptr<BasePages> base, FrameLog log, const StoreState& state);

    [[nodiscard]] FrameLog& log() noexcept { return log_; }
    [[nodiscard]] BasePages& base() noexcept { return *base_; }
    /// Where before() stands.
    [[nodiscard]] const StoreState& state() const noexcept { return state_; }

    /// Takes the next commit of the log. False when there is none up to `limit`.
    bool open_commit(Position limit = FrameLog::kNoLimit);
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    [[nodiscard]] const LoggedCommit& commit() const noexcept { return commit_; }
    /// Its page numbers, ascending.
    [[nodiscard]] std::span<const std::uint32_t> changed() const noexcept { return changed_; }
    void close_commit();

    /// Folds every segment that ends at or before `durable`. Not while a commit is open. Returns how many.
    std::size_t fold(Position durable);

    [[nodiscard]] const PageView& before() const noexcept { return before_; }
    [[nodiscard]] const PageView& after() const noexcept { return after_; }

private:
    struct Layer {
        std::uint64_t segment = 0;
        PageMap images;
        StoreState end;
    };
    class View : public PageView {
    public:
        View(const PageStore& store, bool after) : store_{store}, after_{after} {}
        [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const override { return store_.page(number, after_); }
        [[nodiscard]] std::uint32_t page_size() const override { return store_.state_.page_size; }
        [[nodiscard]] std::uint32_t page_count() const override { return after_ ? store_.commit_.pages : store_.state_.pages; }

    private:
        const PageStore& store_;
        bool after_;
    };
    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number, bool after) const;
    void count_handed_out() const;
    void fold_first();

    std::unique_ptr<BasePages> base_;
    FrameLog log_;
    StoreState state_;
    std::deque<Layer> layers_;  ///< One per segment with commits that were closed, oldest first.
    LoggedCommit commit_;
    std::vector<std::uint32_t> changed_;
    bool open_ = false;
    View before_{*this, false};
    View after_{*this, true};
    mutable std::size_t handed_out_ = 0;
};

}  // namespace rowferry
