#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rowferry {

/// One statement of a script and its place there.
struct ScriptStatement {
    std::string_view sql;     ///< From its first token to its semicolon, which is the last byte.
    std::uint64_t begin = 0;  ///< Bytes [begin, end) of the script.
    std::uint64_t end = 0;
    std::uint64_t line = 1;   ///< On which it begins.
};

/// Takes the text of a script apart into statements, as the sqlite3 program does: at semicolons outside of quotes and comments, for CREATE TRIGGER at
/// the one behind the END that follows a semicolon. Comments and semicolons without a statement are passed over. Pure; never throws; one thread.
class ScriptSplitter {
public:
    /// Begins anew at this place of the script.
    void begin_at(std::uint64_t offset, std::uint64_t line);
    /// More of the script. Views that next() gave are void. Whoever reads in pieces makes them larger while no statement comes: an unfinished token is looked at again.
    void push(std::string_view bytes);
    /// The next statement that is complete; its text lives until the next call of anything here.
    [[nodiscard]] std::optional<ScriptStatement> next();

    /// What is left behind the last statement, without comments and white space in front of it: an unfinished statement, or empty. At the script's
    /// end a comment that was not closed counts as one that was.
    [[nodiscard]] ScriptStatement rest();
    /// Where the next statement begins, as far as is known: everything before it has been given, or is comments and white space.
    [[nodiscard]] std::uint64_t place() const noexcept { return base_ + (started_ ? begin_ : scan_); }
    [[nodiscard]] std::uint64_t line() const noexcept { return started_ ? begin_line_ : line_; }

private:
    /// What is known of the statement that is being read.
    enum class State : std::uint8_t { start, plain, explain, create, trigger, trigger_semicolon, trigger_end };
    enum class Token : std::uint8_t { none, space, semicolon, word, other };
    Token scan(std::size_t& end) const;
    void note(Token token, std::string_view text);

    std::string text_;
    std::uint64_t base_ = 0;  ///< Offset of text_ in the script.
    std::size_t scan_ = 0;    ///< Bytes of text_ that were looked at.
    std::size_t begin_ = 0;   ///< Of the statement, when one has started.
    std::uint64_t line_ = 1;  ///< At scan_.
    std::uint64_t begin_line_ = 1;
    bool started_ = false;
    State state_ = State::start;
};

}  // namespace rowferry
