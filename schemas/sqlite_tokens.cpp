#include "schemas/sqlite_tokens.h"

#include <algorithm>
#include <array>

#include "schemas/ascii.h"

namespace rowferry {
namespace {

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c) || c == '$'; }
bool is_sqlite_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

class Tokenizer {
public:
    explicit Tokenizer(std::string_view sql) : sql_{sql} {}

    std::vector<SqliteToken> all() {
        std::vector<SqliteToken> tokens;
        while (skip_space()) {
            SqliteToken token = next();
            token.end = at_;
            tokens.push_back(std::move(token));
        }
        return tokens;
    }

private:
    using Kind = SqliteToken::Kind;

    [[nodiscard]] char peek(std::size_t ahead = 0) const { return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0'; }
    [[nodiscard]] bool starts(std::string_view text) const { return sql_.substr(at_).starts_with(text); }

    void skip_past(std::string_view end) {
        const auto found = sql_.find(end, at_);
        at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
    }

    /// False at the end.
    bool skip_space() {
        for (;;) {
            if (at_ >= sql_.size()) return false;
            if (is_sqlite_space(peek())) {
                ++at_;
            } else if (starts("--")) {
                skip_past("\n");
            } else if (starts("/*")) {
                at_ += 2;
                skip_past("*/");
            } else {
                return true;
            }
        }
    }

    SqliteToken next() {
        const std::size_t begin = at_;
        const char c = peek();
        if (c == '\'') return quoted(Kind::text, c, begin);
        if (c == '"' || c == '`') return quoted(Kind::quoted_name, c, begin);
        if (c == '[') return quoted(Kind::quoted_name, ']', begin);
        if ((c == 'x' || c == 'X') && peek(1) == '\'') return blob(begin);
        if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number(begin);
        if (is_name_start(c)) {
            while (is_name_part(peek())) ++at_;
            return {Kind::word, std::string{sql_.substr(begin, at_ - begin)}, begin, at_};
        }
        return symbol(begin);
    }

    SqliteToken quoted(Kind kind, char close, std::size_t begin) {
        SqliteToken token{kind, {}, begin, begin};
        for (++at_; at_ < sql_.size(); ++at_) {
            if (sql_[at_] != close) {
                token.value += sql_[at_];
            } else if (close != ']' && peek(1) == close) {
                token.value += close;
                ++at_;
            } else {
                ++at_;
                return token;
            }
        }
        token.kind = Kind::broken;
        return token;
    }

    SqliteToken blob(std::size_t begin) {
        ++at_;
        SqliteToken token = quoted(Kind::blob, '\'', begin);
        if (token.value.size() % 2 != 0 || !std::all_of(token.value.begin(), token.value.end(), is_hex)) token.kind = Kind::broken;
        return token;
    }

    SqliteToken number(std::size_t begin) {
        if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && is_hex(peek(2))) {
            for (at_ += 2; is_hex(peek());) ++at_;
        } else {
            while (is_digit(peek()) || (peek() == '_' && is_digit(peek(1)))) ++at_;
            if (peek() == '.')
                for (++at_; is_digit(peek()) || (peek() == '_' && is_digit(peek(1)));) ++at_;
            const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
            if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign)))
                for (at_ += sign; is_digit(peek());) ++at_;
        }
        const bool ends = !is_name_part(peek());
        while (is_name_part(peek())) ++at_;
        return {ends ? Kind::number : Kind::broken, std::string{sql_.substr(begin, at_ - begin)}, begin, at_};
    }

    SqliteToken symbol(std::size_t begin) {
        static constexpr std::array<std::string_view, 10> kLong{"->>", "->", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>"};
        for (const std::string_view symbol : kLong)
            if (starts(symbol)) {
                at_ += symbol.size();
                return {Kind::symbol, std::string{symbol}, begin, at_};
            }
        const char c = sql_[at_++];
        const bool known = std::string_view{"()+-*/%=<>&|~,;.?:@$#"}.find(c) != std::string_view::npos;
        return {known ? Kind::symbol : Kind::broken, std::string(1, c), begin, at_};
    }

    std::string_view sql_;
    std::size_t at_ = 0;
};

}  // namespace

bool SqliteToken::is_word(std::string_view keyword) const noexcept {
    return kind == Kind::word &&
           std::equal(value.begin(), value.end(), keyword.begin(), keyword.end(), [](char a, char b) { return lower(a) == lower(b); });
}

std::vector<SqliteToken> sqlite_tokens(std::string_view sql) { return Tokenizer{sql}.all(); }

}  // namespace rowferry
