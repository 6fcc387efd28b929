#pragma once

#include <string>

#include "decoder/pg_log/logged_transaction.h"
#include "schemas/error.h"

namespace rowferry {

/// Why a log cannot be read on.
enum class LogStop {
    format,              ///< A line that is not what the format, or the log_line_prefix, says.
    cut,                 ///< A file ends within an entry, and another one follows.
    truncated,           ///< A file became shorter, or was overwritten, while it was read.
    missing_file,        ///< The file of the position to go on from is not there any more.
    gap,                 ///< A session's line numbers leave some out.
    incomplete,          ///< Statements are not all logged: log_statement = mod alone, a duration threshold, samples.
    order,               ///< Two transactions touch the same rows, and the log does not tell which was first.
    outcome_unknown,     ///< Whether a transaction was committed cannot be told: the server crashed, several statements of which one failed.
    copy_data,           ///< COPY … FROM STDIN: its rows are in no log.
    missing_parameters,  ///< Bind parameters are not in the log, or may be shortened.
    function_call,       ///< A fast-path function call (large objects).
    too_large,           ///< More is open or waiting than the budget allows.
    language,            ///< Messages are not in English (lc_messages).
    began_before_log,    ///< A transaction was open where the log begins.
};

/// A stop of a log's reader. Never holds the text of a statement: that may have values and passwords.
class LogError : public HaltError {
public:
    LogError(LogStop reason, const LogPlace& place, const std::string& what) : HaltError{to_string(place) + ": " + what}, reason_{reason}, place_{place} {}
    [[nodiscard]] LogStop reason() const noexcept { return reason_; }
    [[nodiscard]] const LogPlace& place() const noexcept { return place_; }

private:
    LogStop reason_;
    LogPlace place_;
};

}  // namespace rowferry
