#include "decoder/sqlite_wal/tree_diff.h"

#include <algorithm>

namespace rowferry {
namespace {

constexpr std::size_t kFewSlots = 1024;
constexpr std::size_t kManySlots = 256 * 1024;  // given back when a commit needed more
constexpr int kDeepest = 64;

using RootList = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

std::uint32_t tree_of_root(const RootList& roots, std::uint32_t page, std::uint32_t none) {
    const auto at = std::lower_bound(roots.begin(), roots.end(), std::pair{page, std::uint32_t{0}});
    return at != roots.end() && at->first == page ? at->second : none;
}

std::size_t slot_of(std::uint32_t page, std::size_t slots) { return (page * std::size_t{0x9E3779B97F4A7C15ULL} >> 20) & (slots - 1); }

}  // namespace

void TreeDiff::set_trees(std::vector<TreeRoots> trees) {
    clear();
    trees_ = std::move(trees);
    roots_before_.clear();
    roots_after_.clear();
    moved_.clear();
    deltas_.resize(trees_.size());
    for (std::uint32_t tree = 0; tree < trees_.size(); ++tree) {
        const TreeRoots& roots = trees_[tree];
        if (roots.before != 0) roots_before_.emplace_back(roots.before, tree);
        if (roots.after != 0) roots_after_.emplace_back(roots.after, tree);
    }
    std::sort(roots_before_.begin(), roots_before_.end());
    std::sort(roots_after_.begin(), roots_after_.end());
    for (std::uint32_t tree = 0; tree < trees_.size(); ++tree)
        if (trees_[tree].before != trees_[tree].after || trees_[tree].whole) moved_.push_back(tree);
    for (std::size_t i = 1; i < roots_after_.size(); ++i)
        if (roots_after_[i].first == roots_after_[i - 1].first) fail_page(roots_after_[i].first, "is the root of two tables");
}

void TreeDiff::clear() {
    if (slots_.size() > kManySlots) {
        slots_.clear();
        slots_.shrink_to_fit();
        marked_.shrink_to_fit();
    } else {
        // A run of used slots is emptied as a whole, so no mark is left behind a hole.
        for (const std::uint32_t page : marked_) {
            std::size_t at = slot_of(page, slots_.size());
            while (slots_[at].page != 0) {
                slots_[at] = Mark{};
                at = (at + 1) & (slots_.size() - 1);
            }
        }
    }
    marked_.clear();
    for (const std::uint32_t tree : touched_) {
        for (std::vector<std::uint32_t>* pages : {&deltas_[tree].before, &deltas_[tree].after}) {
            pages->clear();
            if (pages->capacity() > kManySlots) pages->shrink_to_fit();
        }
    }
    touched_.clear();
    touched_pages_.clear();
    waiting_.clear();
    attached_.clear();
    left_.clear();
    joined_.clear();
    joining_ = false;
}

TreeDiff::Mark* TreeDiff::find_mark(std::uint32_t page) noexcept {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = slot_of(page, slots_.size());; at = (at + 1) & (slots_.size() - 1)) {
        if (slots_[at].page == page) return &slots_[at];
        if (slots_[at].page == 0) return nullptr;
    }
}

TreeDiff::Mark& TreeDiff::mark(std::uint32_t page) {
    if (page == 0) throw_no_page();
    if ((marked_.size() + 1) * 2 > slots_.size()) grow();
    std::size_t at = slot_of(page, slots_.size());
    for (; slots_[at].page != page; at = (at + 1) & (slots_.size() - 1)) {
        if (slots_[at].page != 0) continue;
        slots_[at].page = page;
        marked_.push_back(page);
        break;
    }
    return slots_[at];
}

void TreeDiff::throw_no_page() { fail_page(0, "is referred to, and pages are counted from 1"); }

void TreeDiff::grow() {
    std::vector<Mark> old = std::move(slots_);
    slots_.assign(std::max(kFewSlots, old.size() * 2), Mark{});
    for (const Mark& mark : old) {
        if (mark.page == 0) continue;
        std::size_t at = slot_of(mark.page, slots_.size());
        while (slots_[at].page != 0) at = (at + 1) & (slots_.size() - 1);
        slots_[at] = mark;
    }
}

bool TreeDiff::has(std::uint32_t page, Flag flag) const noexcept {
    const Mark* known = find_mark(page);
    return known != nullptr && (known->flags & flag) != 0;
}

bool TreeDiff::overflow_changed(std::uint32_t page) const noexcept { return has(page, kOverflowChanged); }
bool TreeDiff::is_changed(std::uint32_t page) const noexcept { return has(page, kChanged); }

bool TreeDiff::in_before(std::uint32_t page, std::uint32_t tree) const noexcept {
    const Mark* known = find_mark(page);
    return known != nullptr && (known->flags & kInBefore) != 0 && known->tree_before == tree;
}

bool TreeDiff::in_after(std::uint32_t page, std::uint32_t tree) const noexcept {
    const Mark* known = find_mark(page);
    return known != nullptr && (known->flags & kInAfter) != 0 && known->tree_after == tree;
}

template <typename Visit>
void TreeDiff::each_child(const BtreePage& page, Visit&& visit) const {
    for (std::uint32_t i = 0; i <= page.cell_count(); ++i) visit(page.child(i));
}

void TreeDiff::find(const TreeMap& map, const Database& before, const Database& after, std::span<const std::uint32_t> changed) {
    clear();
    map_ = &map;
    before_ = &before;
    after_ = &after;
    touch_changed(changed);
    for (const std::uint32_t page : touched_pages_) place_before(page);
    for (const std::uint32_t page : touched_pages_)
        if (const std::uint32_t tree = tree_of_root(roots_after_, page, kNoTree); tree != kNoTree) attach(page, tree);
    drain_attached();
    note_children();
    add_left();
    add_joined();
}

void TreeDiff::touch(std::uint32_t page, std::uint8_t flags) {
    Mark& known = mark(page);
    if ((known.flags & kTouched) == 0) touched_pages_.push_back(page);
    known.flags |= static_cast<std::uint8_t>(flags | kTouched);
}

void TreeDiff::touch_changed(std::span<const std::uint32_t> changed) {
    for (const std::uint32_t page : changed) {
        touch(page, kChanged);
        const std::uint32_t of = map_->overflow_of(page);
        if (of != 0 && map_->in_tree(of)) touch(of, kOverflowChanged);
    }
    for (const std::uint32_t tree : moved_) {
        if (trees_[tree].before != 0) touch(trees_[tree].before, 0);
        if (trees_[tree].after != 0) touch(trees_[tree].after, 0);
    }
}

void TreeDiff::place_before(std::uint32_t page) {
    if (!map_->in_tree(page)) return;
    std::uint32_t top = 0;  // the highest page above or at this one, below the first touched one
    std::uint32_t at = page;
    for (int depth = 0; !map_->is_root(at); ++depth) {
        const std::uint32_t parent = map_->parent(at);
        if (top == 0 && has(parent, kTouched)) top = at;
        at = parent;
        if (!map_->in_tree(at) || depth > kDeepest) return;
    }
    const std::uint32_t tree = tree_of_root(roots_before_, at, kNoTree);
    if (tree == kNoTree) return;
    mark(page).tree_before = tree;
    add(page, tree, true);
    if (at == page || top == page) return;  // a root, or for its touched parent to say
    if (top == 0) return attach(page, tree);  // a root that nobody touched is the same tree's on both sides
    Mark& above = mark(top);
    waiting_.push_back({page, above.waiting});
    above.waiting = static_cast<std::uint32_t>(waiting_.size());
}

void TreeDiff::add(std::uint32_t page, std::uint32_t tree, bool before) {
    TreeDelta& delta = deltas_[tree];
    if (delta.before.empty() && delta.after.empty()) touched_.push_back(tree);
    (before ? delta.before : delta.after).push_back(page);
    mark(page).flags |= before ? kInBefore : kInAfter;
}

void TreeDiff::attach(std::uint32_t page, std::uint32_t tree) {
    Mark& known = mark(page);
    if ((known.flags & kInAfter) != 0) {
        if (joining_ && known.tree_after == tree) return;
        fail_page(page, "is in two places of the trees");
    }
    known.tree_after = tree;
    add(page, tree, false);
    attached_.push_back(page);
}

void TreeDiff::attach_below(std::uint32_t page, std::uint32_t tree) {
    const Mark* known = find_mark(page);
    if (known == nullptr) return;
    if ((known->flags & kTouched) != 0) return attach(page, tree);
    for (std::uint32_t next = known->waiting; next != 0;) {
        const Waiting waiting = waiting_[next - 1];
        next = waiting.next;
        attach(waiting.page, tree);
    }
}

void TreeDiff::drain_attached() {
    while (!attached_.empty()) {
        const std::uint32_t number = attached_.back();
        attached_.pop_back();
        const std::uint32_t tree = mark(number).tree_after;
        const BtreePage page = after_->page(number);
        if (!page.is_interior()) continue;
        each_child(page, [&](std::uint32_t child) {
            attach_below(child, tree);
            if (joining_) note_child(child, tree, false);
        });
    }
}

void TreeDiff::note_child(std::uint32_t page, std::uint32_t tree, bool before) {
    Mark& known = mark(page);
    if ((known.flags & kTouched) != 0) return;
    const auto flag = before ? kChildBefore : kChildAfter;
    if ((known.flags & flag) != 0) fail_page(page, "is in two places of the trees");
    known.flags |= flag;
    (before ? known.tree_before : known.tree_after) = tree;
    (before ? left_ : joined_).push_back(page);
}

/// Children that a page has before and after in the same order are on both sides, with all that is below them; most of them are.
void TreeDiff::note_children() {
    for (const std::uint32_t tree : touched_) {
        const bool whole = trees_[tree].whole;
        for (const std::uint32_t number : deltas_[tree].before) {
            const BtreePage page = before_->page(number);
            children_before_.clear();
            children_after_.clear();
            if (page.is_interior()) each_child(page, [&](std::uint32_t child) { children_before_.push_back(child); });
            if (in_after(number, tree)) {
                const BtreePage now = after_->page(number);
                if (now.is_interior()) each_child(now, [&](std::uint32_t child) { children_after_.push_back(child); });
            }
            std::span<const std::uint32_t> was{children_before_};
            std::span<const std::uint32_t> is{children_after_};
            while (!whole && !was.empty() && !is.empty() && was.front() == is.front()) {
                was = was.subspan(1);
                is = is.subspan(1);
            }
            while (!whole && !was.empty() && !is.empty() && was.back() == is.back()) {
                was = was.first(was.size() - 1);
                is = is.first(is.size() - 1);
            }
            for (const std::uint32_t child : was) note_child(child, tree, true);
            for (const std::uint32_t child : is) note_child(child, tree, false);
        }
        for (const std::uint32_t number : deltas_[tree].after) {
            if (in_before(number, tree)) continue;
            const BtreePage page = after_->page(number);
            if (page.is_interior()) each_child(page, [&](std::uint32_t child) { note_child(child, tree, false); });
        }
    }
}

void TreeDiff::add_left() {
    while (!left_.empty()) {
        const std::uint32_t number = left_.back();
        left_.pop_back();
        const Mark known = mark(number);
        const std::uint32_t tree = known.tree_before;
        if (!trees_[tree].whole && (known.flags & kChildAfter) != 0 && known.tree_after == tree) continue;
        add(number, tree, true);
        const BtreePage page = before_->page(number);
        if (page.is_interior()) each_child(page, [&](std::uint32_t child) { note_child(child, tree, true); });
    }
}

void TreeDiff::add_joined() {
    joining_ = true;
    while (!joined_.empty() || !attached_.empty()) {
        drain_attached();
        if (joined_.empty()) continue;
        const std::uint32_t number = joined_.back();
        joined_.pop_back();
        const Mark known = mark(number);
        const std::uint32_t tree = known.tree_after;
        const bool stays = (known.flags & kChildBefore) != 0 && (known.flags & kInBefore) == 0 && known.tree_before == tree;
        if (stays && !trees_[tree].whole) continue;
        add(number, tree, false);
        const BtreePage page = after_->page(number);
        if (!page.is_interior()) continue;
        each_child(page, [&](std::uint32_t child) {
            attach_below(child, tree);
            note_child(child, tree, false);
        });
    }
}

void TreeDiff::update(TreeMap& map) const {
    for (const std::uint32_t page : touched_pages_)
        if (is_changed(page) && map.overflow_of(page) != 0) map.forget(page);
    for (const std::uint32_t tree : touched_)
        for (const std::uint32_t page : deltas_[tree].before)
            if (!has(page, kInAfter)) map.forget(page);
    map.resize(after_->view->page_count());
    for (const std::uint32_t tree : touched_) {
        for (const std::uint32_t number : deltas_[tree].after) {
            if (number == trees_[tree].after) map.set_root(number);
            const BtreePage page = after_->page(number);
            if (page.is_interior()) each_child(page, [&](std::uint32_t child) { map.set_child(child, number); });
        }
    }
}

}  // namespace rowferry
