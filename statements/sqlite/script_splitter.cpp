#include "statements/sqlite/script_splitter.h"

#include <algorithm>

#include "db/sqlite_schema.h"

namespace rowferry {
namespace {

constexpr std::size_t kCompactAbove = 64 * 1024;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

bool is_word_part(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

void ScriptSplitter::begin_at(std::uint64_t offset, std::uint64_t line) {
    *this = ScriptSplitter{};
    base_ = offset;
    line_ = line;
}

void ScriptSplitter::push(std::string_view bytes) {
    const std::size_t keep = started_ ? begin_ : scan_;
    if (keep > kCompactAbove || keep == text_.size()) {
        text_.erase(0, keep);
        base_ += keep;
        scan_ -= keep;
        begin_ -= started_ ? keep : begin_;
    }
    text_ += bytes;
}

/// The token at scan_, up to `end`; none where it may go on behind what is there.
ScriptSplitter::Token ScriptSplitter::scan(std::size_t& end) const {
    const std::string_view text = text_;
    const auto behind = [&](std::size_t found, std::size_t length) {
        end = found == std::string_view::npos ? text.size() : found + length;
        return found != std::string_view::npos;
    };
    if (scan_ == text.size()) return Token::none;
    const char c = text[scan_];
    end = scan_ + 1;
    if (is_space(c)) {
        while (end < text.size() && is_space(text[end])) ++end;
        return Token::space;
    }
    if (c == ';') return Token::semicolon;
    if ((c == '/' || c == '-') && end == text.size()) return Token::none;
    if (c == '/' && text[end] == '*') return behind(text.find("*/", scan_ + 2), 2) ? Token::space : Token::none;
    if (c == '-' && text[end] == '-') return behind(text.find('\n', scan_ + 2), 1) ? Token::space : Token::none;
    if (c == '[') return behind(text.find(']', end), 1) ? Token::other : Token::none;
    // A doubled quote inside is the end of one token and the beginning of the next, which comes to the same here.
    if (c == '\'' || c == '"' || c == '`') return behind(text.find(c, end), 1) ? Token::other : Token::none;
    if (!is_word_part(c)) return Token::other;
    while (end < text.size() && is_word_part(text[end])) ++end;
    return end == text.size() ? Token::none : Token::word;
}

/// CREATE [TEMP] TRIGGER is told from everything else by its first words, with EXPLAIN [QUERY PLAN] in front or not.
void ScriptSplitter::note(Token token, std::string_view text) {
    const auto is = [&](std::string_view word) { return token == Token::word && same_sqlite_name(text, word); };
    switch (state_) {
        case State::start: state_ = is("explain") ? State::explain : is("create") ? State::create : State::plain; return;
        case State::explain:
            // Whatever stands between, as SQLite has it.
            if (is("create"))
                state_ = State::create;
            else if (is("explain") || is("temp") || is("temporary") || is("trigger") || is("end"))
                state_ = State::plain;
            return;
        case State::create:
            if (!is("temp") && !is("temporary")) state_ = is("trigger") ? State::trigger : State::plain;
            return;
        case State::trigger_semicolon: state_ = is("end") ? State::trigger_end : State::trigger; return;
        case State::trigger_end: state_ = State::trigger; return;
        case State::plain:
        case State::trigger: return;
    }
}

std::optional<ScriptStatement> ScriptSplitter::next() {
    std::size_t end = 0;
    for (Token token = scan(end); token != Token::none; token = scan(end)) {
        const std::size_t at = scan_;
        const std::uint64_t line = line_;
        const std::string_view text = std::string_view{text_}.substr(at, end - at);
        line_ += static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
        scan_ = end;
        if (token == Token::space || (token == Token::semicolon && !started_)) continue;
        if (!started_) {
            started_ = true;
            begin_ = at;
            begin_line_ = line;
        }
        if (token != Token::semicolon) {
            note(token, text);
            continue;
        }
        if (state_ == State::trigger || state_ == State::trigger_semicolon) {
            state_ = State::trigger_semicolon;
            continue;
        }
        started_ = false;
        state_ = State::start;
        return ScriptStatement{std::string_view{text_}.substr(begin_, end - begin_), base_ + begin_, base_ + end, begin_line_};
    }
    return std::nullopt;
}

ScriptStatement ScriptSplitter::rest() {
    const std::string_view left = std::string_view{text_}.substr(scan_);
    // Not a token yet, because it may go on: a comment at the very end is no statement, anything else is.
    const bool comment = left.starts_with("--") || left.starts_with("/*");
    if (!started_ && (left.empty() || comment)) return {{}, base_ + text_.size(), base_ + text_.size(), line_};
    const std::size_t begin = started_ ? begin_ : scan_;
    return {std::string_view{text_}.substr(begin), base_ + begin, base_ + text_.size(), started_ ? begin_line_ : line_};
}

}  // namespace rowferry
