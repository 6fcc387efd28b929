#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rowferry {

/// Bump allocator for the bytes and cells of one batch. Memory is handed out from chunks and given back all at once;
/// chunks are kept for the next use, so the steady state allocates nothing. One thread at a time.
class Arena {
public:
    Arena() = default;
    Arena(Arena&&) noexcept = default;
    Arena& operator=(Arena&&) noexcept = default;

    /// Copies `value` and puts a NUL byte behind it (see Cell).
    std::string_view copy(std::string_view value);

    /// `size` bytes that the caller fills, with a NUL byte behind them.
    char* bytes(std::size_t size);

    /// An array of value-initialised T, which is never destroyed.
    template <typename T>
    std::span<T> array(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T>);
        if (count == 0) return {};
        auto* first = static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
        std::uninitialized_value_construct_n(first, count);
        return {first, count};
    }

    /// Bytes handed out since the last clear().
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

    /// Takes everything back. Keeps the ordinary chunks; oversized ones are returned to the system.
    void clear() noexcept;

private:
    struct Chunk {
        std::unique_ptr<char[]> data;
        std::size_t size = 0;
    };
    void* allocate(std::size_t size, std::size_t alignment);

    std::vector<Chunk> chunks_;
    std::vector<Chunk> oversized_;
    std::size_t current_ = 0;   // index of the chunk being filled
    std::size_t filled_ = 0;    // bytes used in it
    std::size_t used_ = 0;
};

}  // namespace rowferry
