#include "schemas/value_shapes.h"

#include <cstdint>
#include <cstring>

#include "schemas/ascii.h"
#include "schemas/calendar.h"

namespace rowferry {
namespace {

constexpr std::size_t kMaxNumericInteger = 131072;  // PostgreSQL's limits for digits before and after the decimal point.
constexpr std::size_t kMaxNumericFraction = 16383;

constexpr std::uint64_t kHighBits = 0x8080808080808080U;
constexpr std::uint64_t kOnes = 0x0101010101010101U;

std::size_t digits_at_front(std::string_view text) noexcept {
    std::size_t count = 0;
    // Eight at a time: a byte is a digit when its upper half is 3, and still is with 6 more.
    for (std::uint64_t word = 0; text.size() - count >= sizeof(word); count += sizeof(word)) {
        std::memcpy(&word, text.data() + count, sizeof(word));
        if (((word & (word + 6 * kOnes)) & 0xF0 * kOnes) != 0x30 * kOnes) break;
    }
    while (count < text.size() && is_digit(text[count])) ++count;
    return count;
}

bool is_infinity(std::string_view text) noexcept { return text == "infinity" || text == "-infinity"; }

/// A day, or a day and time, as PostgreSQL prints it. `zone`: what stands behind the time.
bool is_point_in_time(std::string_view text, bool clock, std::string_view zone, std::int64_t last_day) noexcept {
    PointInTime time;
    if (!read_time(text, time) || time.days < kFirstDay || time.days > last_day) return false;
    if (text.ends_with(" BC")) text.remove_suffix(3);
    if (!text.ends_with(zone)) return false;
    text.remove_suffix(zone.size());
    return (text.find(':') != std::string_view::npos) == clock && text.find('+') == std::string_view::npos;
}

/// Length of the UTF-8 sequence at the front, 0 when it is not one. `text` is not empty.
std::size_t sequence_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xC2) return 0;  // a continuation, or an overlong form of ASCII
    if (first < 0xE0) return continues(1) ? 2 : 0;
    if (first < 0xF0) {
        if (!continues(1) || !continues(2)) return 0;
        if (first == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
        if (first == 0xED && byte(1) > 0x9F) return 0;  // surrogate
        return 3;
    }
    if (first > 0xF4 || !continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;  // overlong
    if (first == 0xF4 && byte(1) > 0x8F) return 0;  // beyond U+10FFFF
    return 4;
}

/// The first byte from `at` on that is not ASCII, or NUL; the end when there is none.
std::size_t skip_plain(std::string_view text, std::size_t at) noexcept {
    // Eight at a time: `word - kOnes` sets a high bit where a byte is zero.
    for (std::uint64_t word = 0; text.size() - at >= sizeof(word); at += sizeof(word)) {
        std::memcpy(&word, text.data() + at, sizeof(word));
        if ((((word - kOnes) | word) & kHighBits) != 0) break;
    }
    while (at < text.size() && static_cast<signed char>(text[at]) > 0) ++at;
    return at;
}

/// Reads one JSON text. Nesting is a bit per level (object or array) in a fixed array: no recursion, no allocation.
class JsonReader {
public:
    explicit JsonReader(std::string_view text) noexcept : in_{text} {}

    /// document := ws value ws; value := literal | number | string | '[' … ']' | '{' … '}'
    bool read() noexcept {
        for (;;) {
            skip_space();
            bool opened = false;
            if (!read_value(opened)) return false;
            if (opened) continue;
            if (!after_value()) return false;
            if (done_) return true;
        }
    }

private:
    void skip_space() noexcept {
        while (at_ < in_.size() && (in_[at_] == ' ' || in_[at_] == '\t' || in_[at_] == '\n' || in_[at_] == '\r')) ++at_;
    }
    [[nodiscard]] char peek() const noexcept { return at_ < in_.size() ? in_[at_] : '\0'; }
    bool take(char c) noexcept {
        if (peek() != c || at_ == in_.size()) return false;
        ++at_;
        return true;
    }
    bool take(std::string_view word) noexcept {
        if (in_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }
    [[nodiscard]] bool in_object() const noexcept { return (levels_[(depth_ - 1) / 8] >> ((depth_ - 1) % 8) & 1) != 0; }
    bool open(bool object) noexcept {
        if (depth_ == kMaxJsonDepth) return false;
        ++at_;
        const auto bit = static_cast<std::uint8_t>(1U << (depth_ % 8));
        auto& level = levels_[depth_ / 8];
        level = static_cast<std::uint8_t>(object ? level | bit : level & ~bit);
        ++depth_;
        return true;
    }

    /// `opened`: a container began and its first value comes next. An empty one is closed by after_value() at once.
    bool read_value(bool& opened) noexcept {
        switch (peek()) {
            case '"': return read_string();
            case 't': return take("true");
            case 'f': return take("false");
            case 'n': return take("null");
            case '[':
                if (!open(false)) return false;
                skip_space();
                opened = peek() != ']';
                return true;
            case '{':
                if (!open(true)) return false;
                skip_space();
                opened = peek() != '}';
                return !opened || read_name();
            default: return read_number();
        }
    }

    /// Behind a value or in an empty container: closes what ends here. True when a value follows or, with done_, the document is complete.
    bool after_value() noexcept {
        for (;;) {
            skip_space();
            if (depth_ == 0) {
                done_ = at_ == in_.size();
                return done_;
            }
            if (take(',')) {
                if (!in_object()) return true;
                skip_space();
                return read_name();
            }
            if (!take(in_object() ? '}' : ']')) return false;
            --depth_;
        }
    }

    bool read_name() noexcept {
        if (!read_string()) return false;
        skip_space();
        return take(':');
    }

    bool read_string() noexcept {
        if (!take('"')) return false;
        while (at_ < in_.size()) {
            const char c = in_[at_++];
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c == '\\' && !read_escape()) return false;
        }
        return false;
    }

    bool read_escape() noexcept {
        if (at_ == in_.size()) return false;
        const char c = in_[at_++];
        if (c != 'u') return c != '\0' && std::strchr("\"\\/bfnrt", c) != nullptr;
        for (int i = 0; i < 4; ++i, ++at_)
            if (at_ == in_.size() || !is_hex(in_[at_])) return false;
        return true;
    }

    static bool is_hex(char c) noexcept { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

    bool read_digits() noexcept {
        const std::size_t count = digits_at_front(in_.substr(at_));
        at_ += count;
        return count > 0;
    }

    bool read_number() noexcept {
        take('-');
        if (!take('0') && !read_digits()) return false;
        if (take('.') && !read_digits()) return false;
        if (peek() == 'e' || peek() == 'E') {
            ++at_;
            if (!take('+')) take('-');
            return read_digits();
        }
        return true;
    }

    std::string_view in_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool done_ = false;
    std::uint8_t levels_[kMaxJsonDepth / 8] = {};
};

}  // namespace

bool is_date(std::string_view text) noexcept { return is_point_in_time(text, false, "", kLastDate) || is_infinity(text); }

bool is_time(std::string_view text) noexcept {
    std::int64_t microseconds = 0;
    return read_clock(text, microseconds) || text == "24:00:00";
}

bool is_timestamp(std::string_view text) noexcept { return is_point_in_time(text, true, "", kLastTimestamp) || is_infinity(text); }

bool is_zoned_timestamp(std::string_view text) noexcept { return is_point_in_time(text, true, "+00", kLastTimestamp) || is_infinity(text); }

bool is_uuid(std::string_view text) noexcept {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool fits = i == 8 || i == 13 || i == 18 || i == 23 ? c == '-' : is_digit(c) || (c >= 'a' && c <= 'f');
        if (!fits) return false;
    }
    return true;
}

bool is_json(std::string_view text) noexcept { return JsonReader{text}.read() && find_bad_text(text) == std::string_view::npos; }

bool is_number(std::string_view text) noexcept {
    if (text == "NaN" || text == "Infinity" || text == "-Infinity") return true;
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const std::size_t whole = digits_at_front(text);
    if (whole == 0 || whole > kMaxNumericInteger || (whole > 1 && text[0] == '0')) return false;
    std::string_view fraction = text.substr(whole);
    if (!fraction.empty()) {
        if (fraction[0] != '.') return false;
        fraction.remove_prefix(1);
        if (fraction.empty() || fraction.size() > kMaxNumericFraction || digits_at_front(fraction) != fraction.size()) return false;
    }
    return !negative || text.find_first_not_of("0.") != std::string_view::npos;
}

std::size_t fraction_digits(std::string_view text) noexcept {
    const std::size_t point = text.find('.');
    return point == std::string_view::npos ? 0 : digits_at_front(text.substr(point + 1));
}

std::size_t find_bad_text(std::string_view text) noexcept {
    for (std::size_t at = 0;;) {
        at = skip_plain(text, at);
        if (at == text.size()) return std::string_view::npos;
        const std::size_t length = text[at] == '\0' ? 0 : sequence_length(text.substr(at));
        if (length == 0) return at;
        at += length;
    }
}

TextScan scan_text(std::string_view text) noexcept {
    std::size_t beyond_ascii = 0;  // bytes that begin no character
    for (std::size_t at = 0;;) {
        at = skip_plain(text, at);
        if (at == text.size()) return {text.size() - beyond_ascii, false};
        const std::size_t length = text[at] == '\0' ? 0 : sequence_length(text.substr(at));
        if (length == 0) return {count_characters(text), true};
        at += length;
        beyond_ascii += length - 1;
    }
}

std::size_t count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    return count;
}

}  // namespace rowferry
