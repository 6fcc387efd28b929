#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decoder/sqlite_wal/btree_page.h"

namespace rowferry {

/// Which page of a database belongs where: for each page of a followed b-tree its parent, for each overflow page the page of its cell. Four bytes and a
/// bit per page. What is said of overflow pages may be out of date once they were freed: it only makes the decoder look at a page too many.
class TreeMap {
public:
    /// Grows or shrinks with the database.
    void resize(std::uint32_t page_count);

    void set_root(std::uint32_t page) { set(page, page, false); }
    void set_child(std::uint32_t page, std::uint32_t parent) { set(page, parent, false); }
    void set_overflow(std::uint32_t page, std::uint32_t of) { set(page, of, true); }
    void forget(std::uint32_t page) { set(page, 0, false); }

    /// Pages of b-trees.
    [[nodiscard]] bool in_tree(std::uint32_t page) const noexcept { return page < links_.size() && links_[page] != 0 && !overflow_[page]; }
    [[nodiscard]] bool is_root(std::uint32_t page) const noexcept { return links_[page] == page; }
    [[nodiscard]] std::uint32_t parent(std::uint32_t page) const noexcept { return links_[page]; }
    /// The root above a page of a tree; 0 for others.
    [[nodiscard]] std::uint32_t root_of(std::uint32_t page) const noexcept;
    /// The page whose cell goes on in this overflow page; 0: it is none.
    [[nodiscard]] std::uint32_t overflow_of(std::uint32_t page) const noexcept { return page < links_.size() && overflow_[page] ? links_[page] : 0; }

    /// Takes in a whole tree. Throws DecodeError when it is none: a page that stands in two places, or a depth that no tree has.
    void add_tree(const Database& database, std::uint32_t root);
    /// The overflow pages of the page's cells.
    void add_overflow(const Database& database, const BtreePage& page);
    /// Those of one cell of `page`.
    void add_overflow(const Database& database, const BtreeCell& cell, std::uint32_t page);

private:
    void set(std::uint32_t page, std::uint32_t link, bool overflow) {
        if (page >= links_.size()) fail_range(page);
        links_[page] = link;
        overflow_[page] = overflow;
    }
    [[noreturn]] static void fail_range(std::uint32_t page);

    std::vector<std::uint32_t> links_;  // by page; 0: not in a followed tree, the page itself: a root
    std::vector<bool> overflow_;
};

}  // namespace rowferry
