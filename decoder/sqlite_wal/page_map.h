#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rowferry {

/// Page number -> where its image lies. Open addressing; no allocation once it has grown. Page numbers begin with 1.
class PageMap {
public:
    PageMap() : slots_(kFirstSize) {}

    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    /// Null when it is not there; the pointer lives until the next change.
    [[nodiscard]] const std::uint64_t* find(std::uint32_t page) const noexcept {
        const Slot& slot = slots_[place_of(page)];
        return slot.page == page ? &slot.value : nullptr;
    }
    /// True when the page is new.
    bool put(std::uint32_t page, std::uint64_t value) {
        std::size_t at = place_of(page);
        const bool fresh = slots_[at].page != page;
        if (fresh && 2 * (used_ + 1) > slots_.size()) {
            grow();
            at = place_of(page);
        }
        used_ += fresh ? 1 : 0;
        slots_[at] = {value, page};
        return fresh;
    }
    void clear() {
        // What a large transaction needed is not kept for the small ones that follow.
        if (slots_.size() > kKeptSize)
            slots_ = std::vector<Slot>(kFirstSize);
        else if (used_ != 0)
            slots_.assign(slots_.size(), Slot{});
        used_ = 0;
    }
    template <typename Visit>
    void for_each(const Visit& visit) const {
        for (const Slot& slot : slots_)
            if (slot.page != 0) visit(slot.page, slot.value);
    }

private:
    struct Slot {
        std::uint64_t value = 0;
        std::uint32_t page = 0;  ///< 0: free.
    };
    static constexpr std::size_t kFirstSize = 64;  // powers of two
    static constexpr std::size_t kKeptSize = 4096;

    [[nodiscard]] std::size_t place_of(std::uint32_t page) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = (page * 0x9E3779B97F4A7C15ULL >> 32) & mask;
        while (slots_[at].page != 0 && slots_[at].page != page) at = (at + 1) & mask;
        return at;
    }
    void grow() {
        std::vector<Slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old)
            if (slot.page != 0) slots_[place_of(slot.page)] = slot;
    }

    std::vector<Slot> slots_;
    std::size_t used_ = 0;
};

}  // namespace rowferry
