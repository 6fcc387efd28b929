#include "decoder/pg_log/sql_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "schemas/ascii.h"

namespace rowferry {
namespace {

constexpr std::size_t kKept = 24;  ///< Tokens that a statement which controls something may have.

enum class Shape : std::uint8_t { word, quoted, text, mark };
struct Token {
    Shape shape = Shape::mark;
    std::string_view text;  ///< With its quotes.
};

constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

bool same_word(std::string_view word, std::string_view expected) {
    return word.size() == expected.size() && std::equal(word.begin(), word.end(), expected.begin(), [](char a, char b) { return lower(a) == b; });
}

/// 0: neither the part of a word nor anything that has to be looked at. 1: goes on a word. 2: has a meaning.
constexpr std::array<std::uint8_t, 256> kClass = [] {
    std::array<std::uint8_t, 256> out{};
    for (int c = 0; c < 256; ++c) out[static_cast<std::size_t>(c)] = is_letter(static_cast<char>(c)) || is_digit(static_cast<char>(c)) || c == '$' ? 1 : 0;
    for (const char c : {'\'', '"', ';', '-', '/', '(', ')', '=', ','}) out[static_cast<unsigned char>(c)] = 2;
    return out;
}();

class Splitter {
public:
    Splitter(std::string_view text, bool backslashes, std::vector<SqlStatement>& out) : text_{text}, backslashes_{backslashes}, out_{out} {}

    void run() {
        while (at_ < text_.size()) step();
        end_statement(text_.size());
    }

private:
    void step() {
        const char c = text_[at_];
        switch (kClass[static_cast<unsigned char>(c)]) {
            case 0:
                ++at_;
                if (!is_space(c)) note({}, at_ - 1);
                return;
            case 1:
                if (c == '$')
                    dollar();
                else
                    word();
                return;
            default: break;
        }
        const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        switch (c) {
            case '\'': string(at_, backslashes_); return;
            case '"': quoted(); return;
            case '-':
                if (next == '-') {
                    at_ = std::min(text_.find('\n', at_), text_.size());
                    return;
                }
                break;
            case '/':
                if (next == '*') {
                    comment();
                    return;
                }
                break;
            case '(': ++depth_; break;
            case ')': depth_ -= depth_ > 0; break;
            case ';':
                if (depth_ == 0 && atomic_ == 0) {
                    end_statement(at_++);
                    return;
                }
                break;
            default: break;
        }
        ++at_;
        note({Shape::mark, text_.substr(at_ - 1, 1)}, at_ - 1);
    }

    /// A token of the statement; the first ones are kept.
    void note(Token token, std::size_t from) {
        if (start_ == std::string_view::npos) start_ = from;
        if (kept_ < kKept) tokens_[kept_++] = token;
        last_ = at_;
        if (copy_ && depth_ == 0 && token.shape == Shape::word) {
            if (from_seen_ && same_word(token.text, "stdin")) from_stdin_ = true;
            from_seen_ = same_word(token.text, "from");
        } else if (copy_) {
            from_seen_ = false;
        }
    }

    void word() {
        const std::size_t from = at_;
        while (at_ < text_.size() && kClass[static_cast<unsigned char>(text_[at_])] == 1) ++at_;
        const std::string_view word = text_.substr(from, at_ - from);
        if (at_ < text_.size() && text_[at_] == '\'' && word.size() == 1 && std::string_view{"eEbBxXnN"}.find(word[0]) != std::string_view::npos) {
            string(from, lower(word[0]) == 'e' || (backslashes_ && lower(word[0]) == 'n'));
            return;
        }
        if (kept_ == 0) copy_ = same_word(word, "copy");
        if (kept_ == 0)
            routine_ = same_word(word, "create") ? 1 : 0;
        else if (routine_ == 1)
            routine_ = same_word(word, "function") || same_word(word, "procedure") ? 2 : same_word(word, "or") || same_word(word, "replace") ? 1 : 0;
        else if (routine_ == 2 && depth_ == 0)
            body(word);
        note({Shape::word, word}, from);
    }

    /// BEGIN ATOMIC … END, with CASE … END in it.
    void body(std::string_view word) {
        if (same_word(word, "begin") || (atomic_ > 0 && same_word(word, "case")))
            ++atomic_;
        else if (atomic_ > 0 && same_word(word, "end"))
            --atomic_;
    }

    void dollar() {
        const std::size_t from = at_;
        std::size_t end = at_ + 1;
        if (end < text_.size() && is_digit(text_[end])) {
            std::uint32_t number = 0;
            for (; end < text_.size() && is_digit(text_[end]); ++end) number = std::min<std::uint32_t>(number * 10 + static_cast<std::uint32_t>(text_[end] - '0'), 100'000);
            parameters_ = std::max(parameters_, number);
            at_ = end;
            note({}, from);
            return;
        }
        while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
        if (end < text_.size() && text_[end] == '$') {
            const std::string_view tag = text_.substr(from, end + 1 - from);
            const std::size_t close = text_.find(tag, end + 1);
            at_ = close == std::string_view::npos ? text_.size() : close + tag.size();
        } else {
            at_ = from + 1;
        }
        note({Shape::text, text_.substr(from, at_ - from)}, from);
    }

    /// `from`: where the literal begins, with its E; at_ is there or at its quote.
    void string(std::size_t from, bool backslashes) {
        at_ = text_.find('\'', at_) + 1;
        for (;;) {
            at_ = backslashes ? text_.find_first_of("'\\", at_) : text_.find('\'', at_);
            if (at_ == std::string_view::npos) {
                at_ = text_.size();
                break;
            }
            if (text_[at_] == '\\') {
                at_ = std::min(at_ + 2, text_.size());
            } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
                at_ += 2;
            } else {
                ++at_;
                break;
            }
        }
        note({Shape::text, text_.substr(from, at_ - from)}, from);
    }

    void quoted() {
        const std::size_t from = at_++;
        for (;;) {
            at_ = text_.find('"', at_);
            if (at_ == std::string_view::npos) {
                at_ = text_.size();
                break;
            }
            if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
                at_ += 2;
                continue;
            }
            ++at_;
            break;
        }
        note({Shape::quoted, text_.substr(from, at_ - from)}, from);
    }

    void comment() {
        std::size_t depth = 0;
        while (at_ < text_.size()) {
            if (text_.substr(at_, 2) == "/*") {
                ++depth;
                at_ += 2;
            } else if (text_.substr(at_, 2) == "*/") {
                at_ += 2;
                if (--depth == 0) return;
            } else {
                ++at_;
            }
        }
    }

    void end_statement(std::size_t end) {
        if (start_ != std::string_view::npos) {
            SqlStatement& one = out_.emplace_back();
            one.text = text_.substr(start_, std::min(end, last_) - start_);
            one.parameters = parameters_;
            classify(one);
            one.several = may_be_several();
            if (from_stdin_) one.kind = SqlKind::copy_from_stdin;
        }
        start_ = std::string_view::npos;
        kept_ = 0;
        depth_ = atomic_ = 0;
        routine_ = 0;
        parameters_ = 0;
        copy_ = from_seen_ = from_stdin_ = false;
    }

    [[nodiscard]] bool is(std::size_t i, std::string_view expected) const { return i < kept_ && tokens_[i].shape == Shape::word && same_word(tokens_[i].text, expected); }

    /// An identifier, or the content of a string.
    [[nodiscard]] std::string name(std::size_t i) const {
        if (i >= kept_) return {};
        const Token& token = tokens_[i];
        std::string out;
        if (token.shape == Shape::word) {
            for (const char c : token.text) out += lower(c);
            return out;
        }
        if (token.shape == Shape::text || token.shape == Shape::quoted) {
            const char quote = token.shape == Shape::text ? '\'' : '"';
            if (token.text.size() < 2 || token.text[0] != quote) return std::string{token.text};
            for (std::size_t at = 1; at + 1 < token.text.size(); ++at) {
                out += token.text[at];
                if (token.text[at] == quote) ++at;
            }
        }
        return out;
    }

    void modes(SqlStatement& one, std::size_t from) const {
        for (std::size_t i = from; i < kept_; ++i) {
            if (is(i, "serializable")) one.isolation = "serializable";
            if (is(i, "repeatable") && is(i + 1, "read")) one.isolation = "repeatable read";
            if (is(i, "read") && (is(i + 1, "committed") || is(i + 1, "uncommitted"))) one.isolation = "read committed";
            if (is(i, "read") && is(i + 1, "only")) one.read_only = true;
            if (is(i, "read") && is(i + 1, "write")) one.read_only = false;
        }
    }

    void classify(SqlStatement& one) const {
        if (kept_ == 0 || tokens_[0].shape != Shape::word) return;
        switch (lower(tokens_[0].text[0])) {
            case 'b':
            case 's': classify_begin(one); break;
            case 'c':
            case 'e':
            case 'r':
            case 'a': classify_end(one); break;
            case 'p':
                if (is(0, "prepare") && is(1, "transaction")) {
                    one.kind = SqlKind::prepare_transaction;
                    one.name = name(2);
                }
                break;
            case 'd':
                if (is(0, "discard") && is(1, "all")) one.kind = SqlKind::discard_all;
                break;
            default: break;
        }
    }

    /// A procedure, or the block of a DO, may commit; CREATE INDEX, DROP INDEX, REINDEX and ALTER TABLE … DETACH PARTITION do, where they are CONCURRENTLY.
    [[nodiscard]] bool may_be_several() const {
        if (is(0, "call") || is(0, "do")) return true;
        if (!is(0, "create") && !is(0, "drop") && !is(0, "reindex") && !is(0, "alter")) return false;
        for (std::size_t i = 1; i < kept_; ++i)
            if (is(i, "concurrently")) return true;
        return false;
    }

    void classify_begin(SqlStatement& one) const {
        if (is(0, "begin") || (is(0, "start") && is(1, "transaction"))) {
            one.kind = SqlKind::begin;
            modes(one, 1);
        } else if (is(0, "savepoint")) {
            one.kind = SqlKind::savepoint;
            one.name = name(1);
        } else if (is(0, "set")) {
            classify_set(one);
        }
    }

    void classify_end(SqlStatement& one) const {
        const bool commit = is(0, "commit") || is(0, "end");
        const bool rollback = is(0, "rollback") || is(0, "abort");
        if (is(0, "release")) {
            one.kind = SqlKind::release;
            one.name = name(is(1, "savepoint") && kept_ > 2 ? 2 : 1);
        } else if (is(0, "reset")) {
            classify_reset(one);
        } else if ((commit || rollback) && is(1, "prepared")) {
            one.kind = commit ? SqlKind::commit_prepared : SqlKind::rollback_prepared;
            one.name = name(2);
        } else if (commit || rollback) {
            std::size_t next = is(1, "work") || is(1, "transaction") ? 2 : 1;
            one.kind = commit ? SqlKind::commit : SqlKind::rollback;
            one.chain = is(next, "and") && is(next + 1, "chain");
            if (rollback && is(next, "to")) {
                one.kind = SqlKind::rollback_to;
                next += is(next + 1, "savepoint") && kept_ > next + 2 ? 2 : 1;
                one.name = name(next);
            }
        }
    }

    void classify_set(SqlStatement& one) const {
        std::size_t next = 1;
        one.kind = SqlKind::set_session;
        if (is(1, "local")) {
            one.kind = SqlKind::set_local;
            next = 2;
        } else if (is(1, "session") && is(2, "characteristics")) {
            one.name = "transaction_characteristics";
            modes(one, 3);
            return;
        } else if (is(1, "session") && !is(2, "authorization")) {
            next = 2;
        } else if (is(1, "transaction")) {
            one.kind = SqlKind::set_transaction;
            modes(one, 2);
            one.unknown_snapshot = is(2, "snapshot");
            return;
        } else if (is(1, "constraints")) {
            one.kind = SqlKind::other;
            return;
        }
        one.name = setting_name(next);
        if (one.name != "default_transaction_isolation" && one.name != "transaction_isolation") return;
        std::string level = name(kept_ - 1);
        for (char& c : level) c = lower(c);
        if (level == "read uncommitted") level = "read committed";
        const bool known = level == "read committed" || level == "repeatable read" || level == "serializable";
        const bool default_level = is(kept_ - 1, "default") && one.name == "default_transaction_isolation";
        one.isolation = known ? level : "";
        one.unknown_snapshot = !known && !default_level;
        if (one.name == "transaction_isolation") one.kind = SqlKind::set_transaction;
    }

    void classify_reset(SqlStatement& one) const {
        one.kind = is(1, "all") ? SqlKind::reset_all : SqlKind::reset;
        one.name = setting_name(1);
        one.unknown_snapshot = one.name == "transaction_isolation";
    }

    /// The setting that SET or RESET is about, which may have words of its own.
    [[nodiscard]] std::string setting_name(std::size_t at) const {
        if (is(at, "time") && is(at + 1, "zone")) return "timezone";
        if (is(at, "session") && is(at + 1, "authorization")) return "session_authorization";
        if (is(at, "schema")) return "search_path";
        if (is(at, "names")) return "client_encoding";
        if (is(at, "xml")) return "xmloption";
        std::string out = name(at);
        for (char& c : out) c = lower(c);
        if (at + 2 < kept_ && tokens_[at + 1].text.empty() && tokens_[at + 2].shape != Shape::mark && out.find('.') == std::string::npos) out += '.' + name(at + 2);  // a.b
        return out;
    }

    std::string_view text_;
    bool backslashes_;
    std::vector<SqlStatement>& out_;
    std::size_t at_ = 0;
    std::size_t start_ = std::string_view::npos;  ///< Of the statement's first token.
    std::size_t last_ = 0;                        ///< Behind its last one.
    std::array<Token, kKept> tokens_;
    std::size_t kept_ = 0;
    std::uint32_t depth_ = 0, atomic_ = 0, parameters_ = 0;
    int routine_ = 0;  ///< 1: CREATE …, 2: CREATE FUNCTION or PROCEDURE.
    bool copy_ = false, from_seen_ = false, from_stdin_ = false;
};

}  // namespace

void split_sql(std::string_view text, bool backslashes, std::vector<SqlStatement>& statements) {
    statements.clear();
    Splitter{text, backslashes, statements}.run();
}

}  // namespace rowferry
