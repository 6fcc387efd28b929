#pragma once

#include <string>
#include <string_view>

namespace rowferry {

/// Can a follower column of type `follower` hold every value of a leader column of type `leader` exactly, given in the leader's text
/// form? Both as format_type() writes them, below domains. Never true for a type that rounds, cuts or pads.
[[nodiscard]] bool pg_type_holds(std::string_view leader, std::string_view follower);

/// A type name as format_type() writes it, in its parts: `character varying(20)` is {"character varying", "20", ""}.
struct PgTypeParts {
    std::string name;       ///< Without the modifier; a part that follows it is appended: `timestamp with time zone`.
    std::string arguments;  ///< `10,2`; empty without.
    std::string array;      ///< `[]` or empty.
};
[[nodiscard]] PgTypeParts split_type(std::string_view type);

/// Does this value (text form) exceed what the modifier of `type` allows? Names the column in an error that the server gave without one;
/// false where it cannot be told.
[[nodiscard]] bool exceeds_modifier(std::string_view type, std::string_view value);

}  // namespace rowferry
