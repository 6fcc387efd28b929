#include "decoder/sqlite_wal/tree_map.h"

namespace rowferry {

void TreeMap::resize(std::uint32_t page_count) {
    links_.resize(std::size_t{page_count} + 1);
    overflow_.resize(std::size_t{page_count} + 1);
}

void TreeMap::fail_range(std::uint32_t page) { fail_page(page, "is beyond the database's end, and is referred to"); }

std::uint32_t TreeMap::root_of(std::uint32_t page) const noexcept {
    constexpr int kDeepest = 64;
    for (int depth = 0; depth < kDeepest && in_tree(page); ++depth) {
        if (is_root(page)) return page;
        page = parent(page);
    }
    return 0;
}

void TreeMap::add_overflow(const Database& database, const BtreePage& page) {
    if (!page.has_rows()) return;
    std::vector<BtreeCell> cells;  // their bytes may go while the chains are read
    for (std::uint32_t i = 0; i < page.cell_count(); ++i)
        if (const BtreeCell cell = page.cell(i); cell.overflow != 0) cells.push_back(cell);
    for (const BtreeCell& cell : cells) add_overflow(database, cell, page.number());
}

void TreeMap::add_overflow(const Database& database, const BtreeCell& cell, std::uint32_t page) {
    database.overflow(cell, page, [&](std::uint32_t number, std::span<const std::byte>) { set_overflow(number, page); });
}

void TreeMap::add_tree(const Database& database, std::uint32_t root) {
    if (root == 0 || root >= links_.size()) fail_range(root);
    if (in_tree(root)) fail_page(root, "is in two trees");
    set_root(root);
    std::vector<std::uint32_t> open{root};
    while (!open.empty()) {
        const BtreePage page = database.page(open.back());
        open.pop_back();
        if (page.is_interior()) {
            for (std::uint32_t i = 0; i <= page.cell_count(); ++i) {
                const std::uint32_t child = page.child(i);
                if (in_tree(child)) fail_page(child, "is in two places of a tree");
                set_child(child, page.number());
                open.push_back(child);
            }
        }
        add_overflow(database, page);
    }
}

}  // namespace rowferry
