#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

/// One token of SQLite's SQL. Comments and white space are not tokens.
struct SqliteToken {
    enum class Kind : std::uint8_t {
        word,         ///< A keyword or a name without quotes.
        quoted_name,  ///< `"x"`, `` `x` `` or `[x]`; the first of them may be a text where no column is called so.
        text,         ///< `'x'`
        blob,         ///< `x'00ff'`; `value` holds the digits.
        number,
        symbol,       ///< Operators and punctuation, as long as SQLite reads them: `<>`, `||`, `->>`.
        broken,       ///< A quote that is not closed, or a character that SQLite has no use for.
    };
    Kind kind = Kind::symbol;
    std::string value;      ///< Quotes removed, doubled ones undone.
    std::size_t begin = 0;  ///< Bytes [begin, end) of the text.
    std::size_t end = 0;

    /// Keywords compare without regard to ASCII case.
    [[nodiscard]] bool is_word(std::string_view keyword) const noexcept;
    [[nodiscard]] bool is_symbol(std::string_view symbol) const noexcept { return kind == Kind::symbol && value == symbol; }
    [[nodiscard]] bool is_name() const noexcept { return kind == Kind::word || kind == Kind::quoted_name; }
};

/// As SQLite's tokenizer takes a text apart. Pure; never throws.
[[nodiscard]] std::vector<SqliteToken> sqlite_tokens(std::string_view sql);

}  // namespace rowferry
