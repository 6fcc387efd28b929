#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowferry {

/// A number as a log has it: what of PostgreSQL's types may have been printed like this.
struct NumberText {
    std::string digits;       ///< The significant ones.
    bool integer = false;     ///< Nothing but digits and a sign.
    bool exponent = false;
    bool padded = false;      ///< `1.50`: a fraction that ends with 0.
    bool special = false;     ///< NaN, Infinity.
    double value = 0;
    float narrow = 0;         ///< Read as a float4.

    /// Nothing where it is none.
    [[nodiscard]] static std::optional<NumberText> read(std::string_view text);

    /// Some floating-point number is printed like this, perhaps rounded.
    [[nodiscard]] bool may_be_float() const;
    /// … of that size, with all its digits.
    [[nodiscard]] bool may_be_float4() const;
    [[nodiscard]] bool may_be_float8() const;
    /// It is the same number as float4 and as float8.
    [[nodiscard]] bool is_exact_float4() const { return static_cast<double>(narrow) == value; }
    /// It comes to the same float4 by way of float8.
    [[nodiscard]] bool rounds_once() const { return static_cast<float>(value) == narrow; }
};

/// A date, a time or both in ISO form.
struct TimeText {
    bool has_date = false;
    bool has_clock = false;
    bool has_zone = false;  ///< As a number.

    /// All false where it is none.
    [[nodiscard]] static TimeText read(std::string_view text);
};

/// A value of another type may be printed like this that becomes another text when it is assigned to one: a truth value (`t` becomes `true`), an address (`10.0.0.1` becomes `10.0.0.1/32`),
/// a padded string, XML.
[[nodiscard]] bool is_other_text(const std::string& text);
/// … one of an array's elements.
[[nodiscard]] bool array_has_other_text(std::string_view array);

}  // namespace rowferry
