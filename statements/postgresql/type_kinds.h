#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowferry {

/// What it takes for a value's text to mean the same in another session. Types by pg_type's name below domains; `enum` for all enums, with a question mark in front for others that PostgreSQL did not
/// bring along: nothing is known of these.
namespace type_kinds {

/// How its text is read depends on the clock, DateStyle, IntervalStyle or TimeZone: dates and times, ranges and arrays of them; and what nothing is known of.
[[nodiscard]] bool is_timely(std::string_view type);
/// Its text, or what it is turned into, depends on TimeZone.
[[nodiscard]] bool is_zoned(std::string_view type);
/// It is written the same in every session: not dates, floats, bytea …
[[nodiscard]] bool prints_alike(std::string_view type);
/// Equal values are the same value, whichever of them one takes. Not numeric (1.0 and 1.00), char(n), floats, json …; text only with an ordinary collation.
[[nodiscard]] bool is_exact(std::string_view type);
[[nodiscard]] bool is_text(std::string_view type);

/// A date as PostgreSQL writes it, perhaps with a time.
[[nodiscard]] bool is_written_time(std::string_view value);

/// An array's text with an element NULL, without quotes: array_nulls says whether that is one. Not in JSON.
[[nodiscard]] bool has_array_null(std::string_view value);

/// What a constant's meaning depends on, beside its text, where a value of this type is wanted. An empty type: it is not known which. `quoted`: not a number.
[[nodiscard]] std::optional<std::string> literal_doubt(std::string_view type, std::string_view value, bool zone_known, bool quoted);
/// The same for turning a value of a column into another type.
[[nodiscard]] std::optional<std::string> conversion_doubt(std::string_view from, std::string_view to, bool zone_known);

}  // namespace type_kinds
}  // namespace rowferry
