#include "schemas/arena.h"

#include <cstring>

namespace rowferry {
namespace {
// Big enough that a batch of about a megabyte needs few chunks, small enough that an idle stream costs little.
constexpr std::size_t kChunkSize = 256 * 1024;
}  // namespace

void* Arena::allocate(std::size_t size, std::size_t alignment) {
    used_ += size;
    if (size > kChunkSize / 2) {
        // new char[] is aligned for every fundamental type, and nothing else is stored here.
        oversized_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
        return oversized_.back().data.get();
    }
    for (;;) {
        if (current_ < chunks_.size()) {
            const std::size_t start = (filled_ + alignment - 1) & ~(alignment - 1);
            if (start + size <= kChunkSize) {
                filled_ = start + size;
                return chunks_[current_].data.get() + start;
            }
            ++current_;
            filled_ = 0;
        }
        if (current_ == chunks_.size()) chunks_.push_back({std::make_unique_for_overwrite<char[]>(kChunkSize), kChunkSize});
    }
}

char* Arena::bytes(std::size_t size) {
    auto* data = static_cast<char*>(allocate(size + 1, 1));
    data[size] = '\0';
    return data;
}

std::string_view Arena::copy(std::string_view value) {
    char* data = bytes(value.size());
    if (!value.empty()) std::memcpy(data, value.data(), value.size());
    return {data, value.size()};
}

void Arena::clear() noexcept {
    oversized_.clear();
    current_ = 0;
    filled_ = 0;
    used_ = 0;
}

}  // namespace rowferry
