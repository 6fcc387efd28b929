#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace rowferry::test {

/// The same numbers for the same seed on every machine, which the standard's distributions do not promise. One thread.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_{seed} {}

    std::uint64_t bits() { return engine_(); }
    /// Uniform in [0, n).
    int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }
    template <typename List>
    const auto& pick(const List& list) {
        return *(std::begin(list) + below(static_cast<int>(std::size(list))));
    }
    /// A generator of its own, so that what one part draws does not move what another draws.
    Random fork() { return Random{engine_()}; }

private:
    std::mt19937_64 engine_;
};

/// Any text that both engines hold: quotes, backslashes, control characters, COPY's special lines, odd Unicode.
inline std::string random_text(Random& random, int most_pieces = 8) {
    static const char* const pieces[] = {
        "a",  "Zebra ", "'",      "''",  "\\",   "\\\\", "\t",  "\n",           "\r\n",         "\\.",          "\\N", "NULL", "\"", "%",
        " ",  ",",      "0",      "-1",  "1e5",  "{}",   "()",  "\x01",         "\x7f",         "\xc2\xa0",     "ß",   "é",    "İ",  "日本",
        "🦊", "e\u0301", "\u202e", "\u200d", "\ufeff", "\ufffe", "\uffff", "\U0010ffff", "\U0001f469\u200d\U0001f680", "𝔘𝔫𝔦", ";--",  "$1",     "$$", "\b\f\v"};
    std::string text;
    const int count = random.below(most_pieces + 1);
    for (int i = 0; i < count; ++i) text += random.pick(pieces);
    return text;
}

/// Doubles each quote inside.
inline std::string in_quotes(const std::string& text, char quote) {
    std::string result(1, quote);
    for (const char c : text) {
        if (c == quote) result += c;
        result += c;
    }
    return result + quote;
}
/// Both engines' way to write a text (PostgreSQL with standard_conforming_strings).
inline std::string sql_text(const std::string& text) { return in_quotes(text, '\''); }
/// … and a name.
inline std::string sql_name(const std::string& name) { return in_quotes(name, '"'); }

}  // namespace rowferry::test
