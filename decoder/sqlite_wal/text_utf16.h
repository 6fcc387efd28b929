#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "decoder/sqlite_wal/btree_page.h"
#include "schemas/arena.h"

namespace rowferry {

/// A text of a UTF-16 database in UTF-8, in the arena. Nothing when it is not valid UTF-16 (half a surrogate pair, an odd number of bytes): there is
/// no exact form of it then. NUL characters are kept. `encoding` is one of the two UTF-16 ones.
[[nodiscard]] std::optional<std::string_view> utf8_of_utf16(std::span<const std::byte> text, TextEncoding encoding, Arena& arena);

}  // namespace rowferry
