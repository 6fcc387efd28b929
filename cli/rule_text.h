#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schemas/table_rules.h"

namespace rowferry {

// The small words in which rules for tables are written, on the command line and in a config file. All throw UsageError without an origin.

[[nodiscard]] OnMismatch parse_on_mismatch(const std::string& text);
[[nodiscard]] TimeEncoding parse_encoding(const std::string& text);
/// `drop`, `sha256`, `constant:TEXT`, `truncate:LENGTH`.
[[nodiscard]] Mask parse_mask(const std::string& text);
/// `drop`, `sha256`; `constant` and `truncate` with what belongs to them in `value` or `length`.
[[nodiscard]] Mask::Kind parse_mask_kind(const std::string& text);
/// `real`, `timestamptz:epoch-ms`.
[[nodiscard]] std::pair<std::string, TimeEncoding> parse_wanted_type(const std::string& text);

/// Parts between `separator`, which does not count inside double quotes. Quotes stay.
[[nodiscard]] std::vector<std::string> split_unquoted(std::string_view text, char separator);
/// A name without the double quotes around it, doubled ones halved; spaces around it are taken off.
[[nodiscard]] std::string plain_name(std::string_view text);

}  // namespace rowferry
