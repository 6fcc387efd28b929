#include "schemas/sqlite_real.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace rowferry {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr double kTwoTo53 = 9007199254740992.0;
/// Up to here SQLite takes all digits of a whole number.
constexpr double kMostWhole = 9e18;
/// Ten to this power is a double.
constexpr int kMostPlaces = 22;
constexpr int kMostShift = 62;

/// digits × 10^-places
struct Decimal {
    std::uint64_t digits = 0;
    int places = 0;
};

/// Of a positive number that is not whole. None where it has more digits, or more places, than are looked at here.
std::optional<Decimal> short_decimal(std::string_view shortest) {
    Decimal decimal;
    const std::size_t exponent_at = std::min(shortest.find('e'), shortest.size());
    bool fraction = false;
    for (const char c : shortest.substr(0, exponent_at)) {
        if (c == '.') {
            fraction = true;
            continue;
        }
        decimal.digits = decimal.digits * 10 + static_cast<std::uint64_t>(c - '0');  // at most 17 digits that count
        decimal.places += fraction ? 1 : 0;
    }
    if (exponent_at < shortest.size()) {
        const char* const begin = shortest.data() + exponent_at + (shortest[exponent_at + 1] == '+' ? 2 : 1);
        int exponent = 0;
        std::from_chars(begin, shortest.data() + shortest.size(), exponent);
        decimal.places -= exponent;
    }
    if (static_cast<double>(decimal.digits) >= kTwoTo53 || decimal.places <= 0 || decimal.places > kMostPlaces) return std::nullopt;
    return decimal;
}

/// Is the decimal so far from whole × 2^-shift that no SQLite takes one side for the other? Where a double is all there is, 3.40 divides one double by another, which is exact; with 64 bits it
/// rounds twice: up to 3.42 once by 2^-64 before, later twice for each digit and ten of the exponent. What computes with two doubles is closer than that.
bool is_apart(const Decimal& decimal, std::uint64_t whole, int shift) {
    Wide five = 1;
    for (int i = 0; i < decimal.places; ++i) five *= 5;
    Wide ours = decimal.digits;
    Wide other = five * whole;
    const int more = shift - decimal.places;
    (more > 0 ? ours : other) <<= std::abs(more);  // both below 2^110: they are nearly the same
    const int steps = decimal.places / 10 + decimal.places % 10;
    const Wide apart = ours > other ? ours - other : other - ours;
    return apart > ((ours * static_cast<unsigned>(2 * steps + 2)) >> 64);
}

/// `whole` × 2^`power`, at least one half of its last bit away from its neighbours.
struct Binary {
    std::uint64_t whole = 0;
    int power = 0;
};

Binary binary_of(double positive) {
    int power = 0;
    const double fraction = std::frexp(positive, &power);
    return {static_cast<std::uint64_t>(std::ldexp(fraction, 53)), power - 53};
}

bool is_certain(double positive, std::string_view shortest) {
    const auto decimal = short_decimal(shortest);
    if (!decimal) return false;
    const Binary binary = binary_of(positive);
    const bool is_power = binary.whole == static_cast<std::uint64_t>(kTwoTo53) / 2;  // below it the neighbour is half as far
    return is_apart(*decimal, 2 * binary.whole + 1, 1 - binary.power) &&
           (is_power ? is_apart(*decimal, 4 * binary.whole - 1, 2 - binary.power) : is_apart(*decimal, 2 * binary.whole - 1, 1 - binary.power));
}

/// No step of it rounds.
void append_by_powers_of_two(double positive, bool negative, std::string& out) {
    Binary binary = binary_of(positive);
    while (binary.whole % 2 == 0) {
        binary.whole /= 2;
        ++binary.power;
    }
    fmt::format_to(std::back_inserter(out), "({}{}.0", negative ? "-" : "", binary.whole);
    const char sign = binary.power < 0 ? '/' : '*';
    for (int left = std::abs(binary.power); left > 0; left -= kMostShift) fmt::format_to(std::back_inserter(out), "{}(1<<{})", sign, std::min(left, kMostShift));
    out += ')';
}

}  // namespace

void append_sqlite_real(double value, std::string& out) {
    const bool negative = std::signbit(value);
    const double positive = std::abs(value);
    if (std::isinf(value)) {
        out += negative ? "-9e999" : "9e999";
        return;
    }
    if (positive < kMostWhole && std::trunc(positive) == positive) {
        fmt::format_to(std::back_inserter(out), "{}{}.0", negative ? "-" : "", static_cast<std::uint64_t>(positive));
        return;
    }
    char buffer[32];
    const auto end = std::to_chars(std::begin(buffer), std::end(buffer), positive).ptr;
    const std::string_view shortest{buffer, static_cast<std::size_t>(end - buffer)};
    if (!is_certain(positive, shortest)) return append_by_powers_of_two(positive, negative, out);
    if (negative) out += '-';
    out += shortest;
}

}  // namespace rowferry
