#pragma once

#include <cstdint>
#include <string_view>

namespace rowferry {

/// What a process does with a stream on a SQLite file.
enum class StreamRole : std::uint8_t { leader, follower };

/// The byte of a SQLite file whose lock stands for a stream in one role. It lies beyond any byte that SQLite locks (those around 1 GiB) or that
/// a file can have; a lock needs no bytes to be there. The same in every version of rowferry.
[[nodiscard]] std::int64_t stream_lock_byte(StreamRole role, std::string_view stream);

/// Open-file-description locks on one byte: they belong to `fd`, not to the process, so SQLite's own POSIX locks stay as they are, and the
/// kernel gives them back however the process ends. False with errno set: EAGAIN or EACCES when somebody else holds it.
[[nodiscard]] bool lock_byte(int fd, std::int64_t offset) noexcept;
void unlock_byte(int fd, std::int64_t offset) noexcept;

}  // namespace rowferry
