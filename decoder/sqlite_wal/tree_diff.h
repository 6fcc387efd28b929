#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "decoder/sqlite_wal/btree_page.h"
#include "decoder/sqlite_wal/tree_map.h"

namespace rowferry {

/// The root of a followed tree on either side of a commit; 0: it is not there.
struct TreeRoots {
    std::uint32_t before = 0;
    std::uint32_t after = 0;
    bool whole = false;  ///< Compare all of its pages, not only what changed.
};

/// Pages of one tree whose cells make the difference: the rows of all pages of `before` against those of all pages of `after`. Pages that are in
/// neither are in both trees, unchanged.
struct TreeDelta {
    std::vector<std::uint32_t> before;
    std::vector<std::uint32_t> after;
};

/// Finds for a commit which pages of which trees have to be compared.
///
/// Where a page belonged is known from the TreeMap. Where it belongs now is found from the roots downwards only, since the content of a freed page
/// may look like anything. A changed page is attached when its parents up to the root are unchanged, or when an attached changed page refers to it
/// or to an unchanged page above it. Then what left a tree or joined it without being written: children that changed pages of a tree referred to
/// before or after, with everything below them, unless they are on both sides. And a page whose cell has an overflow page that changed in place
/// counts as changed, although nobody wrote it.
class TreeDiff {
public:
    /// The trees that find() knows, by number. To be called again whenever one of them came, went or moved, for the commit that did it and behind it.
    void set_trees(std::vector<TreeRoots> trees);

    /// Map and databases must stay as they are until update(), the map at the side before.
    void find(const TreeMap& map, const Database& before, const Database& after, std::span<const std::uint32_t> changed);

    /// One per tree.
    [[nodiscard]] const std::vector<TreeDelta>& deltas() const noexcept { return deltas_; }
    /// Trees whose delta is not empty.
    [[nodiscard]] const std::vector<std::uint32_t>& touched_trees() const noexcept { return touched_; }
    /// Was one of the overflow pages of this page's cells written?
    [[nodiscard]] bool overflow_changed(std::uint32_t page) const noexcept;
    /// Is the page in the delta of its tree, before or after?
    [[nodiscard]] bool in_before(std::uint32_t page, std::uint32_t tree) const noexcept;
    [[nodiscard]] bool in_after(std::uint32_t page, std::uint32_t tree) const noexcept;
    [[nodiscard]] bool is_changed(std::uint32_t page) const noexcept;

    /// Brings the map, the same as for find(), behind the commit. Overflow pages that were written are forgotten: whoever reads the cells adds those of all
    /// pages with overflow_changed() and of all cells that are new on their page.
    void update(TreeMap& map) const;

private:
    static constexpr std::uint32_t kNoTree = 0xFFFFFFFF;
    enum Flag : std::uint8_t {
        kChanged = 1,         // written by the commit
        kTouched = 2,         // changed, or counted as such: its place in the trees is found one by one
        kOverflowChanged = 4,
        kInBefore = 8,        // in a delta
        kInAfter = 16,
        kChildBefore = 32,    // an untouched page that a page of a delta refers to
        kChildAfter = 64,
    };
    /// What is known of a page that has to do with the commit.
    struct Mark {
        std::uint32_t page = 0;  // 0: a free slot
        std::uint32_t tree_before = kNoTree;
        std::uint32_t tree_after = kNoTree;
        std::uint32_t waiting = 0;  // first of waiting_ - 1
        std::uint8_t flags = 0;
    };
    struct Waiting {
        std::uint32_t page;
        std::uint32_t next;
    };

    void clear();
    Mark& mark(std::uint32_t page);
    [[nodiscard]] Mark* find_mark(std::uint32_t page) noexcept;
    [[nodiscard]] const Mark* find_mark(std::uint32_t page) const noexcept { return const_cast<TreeDiff*>(this)->find_mark(page); }
    [[nodiscard]] bool has(std::uint32_t page, Flag flag) const noexcept;
    [[noreturn]] static void throw_no_page();
    void grow();

    void touch(std::uint32_t page, std::uint8_t flags);
    void touch_changed(std::span<const std::uint32_t> changed);
    void place_before(std::uint32_t page);
    void attach(std::uint32_t page, std::uint32_t tree);
    void attach_below(std::uint32_t page, std::uint32_t tree);
    void drain_attached();
    void note_children();
    void note_child(std::uint32_t page, std::uint32_t tree, bool before);
    void add_left();
    void add_joined();
    void add(std::uint32_t page, std::uint32_t tree, bool before);
    template <typename Visit>
    void each_child(const BtreePage& page, Visit&& visit) const;

    const TreeMap* map_ = nullptr;
    const Database* before_ = nullptr;
    const Database* after_ = nullptr;
    std::vector<TreeRoots> trees_;
    std::vector<std::uint32_t> moved_;  // trees whose roots have to be looked at in any case
    std::vector<Mark> slots_;
    std::vector<std::uint32_t> marked_;   // pages with a mark, in the order in which they got it
    std::vector<std::uint32_t> touched_pages_;
    std::vector<Waiting> waiting_;
    std::vector<std::uint32_t> attached_;  // pages whose children have to be looked at
    std::vector<std::uint32_t> left_;      // children before, to be followed
    std::vector<std::uint32_t> joined_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> roots_before_;  // page, tree; sorted
    std::vector<std::pair<std::uint32_t, std::uint32_t>> roots_after_;
    bool joining_ = false;
    std::vector<TreeDelta> deltas_;
    std::vector<std::uint32_t> touched_;
    mutable std::vector<std::uint32_t> children_before_;
    mutable std::vector<std::uint32_t> children_after_;
};

}  // namespace rowferry
