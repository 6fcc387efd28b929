#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "decoder/pg_log/logged_transaction.h"

namespace rowferry {

enum class Severity : std::uint8_t { debug, log, notice, warning, error, fatal, panic };

/// One message of a server's log, in whatever format it came. Views live until the decoder's next call. What the format does not have is empty or 0.
struct LogEntry {
    LogTime time = 0;
    std::string_view session;        ///< %c.
    std::uint32_t pid = 0;
    std::uint64_t number = 0;        ///< Of its first line in its session, from 1; 0: not in the log.
    std::uint32_t numbers = 1;       ///< How many such numbers it takes: DETAIL, STATEMENT … have their own in stderr and syslog.
    LogTime session_start = 0;       ///< Whole seconds.
    std::string_view user, database, application;
    std::string_view activity;       ///< %i, the command tag: `idle in transaction` …
    std::string_view transaction;    ///< %v, the virtual transaction id: `3/17`.
    std::uint32_t xid = 0;
    Severity severity = Severity::log;
    std::string_view message, detail, statement;
    bool has_statement = false;
    std::uint64_t line = 0;          ///< Of the file, from 1.
    std::uint64_t offset = 0;        ///< In the file.
};

/// Where the first of some bytes is in its file.
struct BytePlace {
    std::uint64_t line = 1;
    std::uint64_t offset = 0;
};

/// What a decoder made of some bytes.
struct Decoded {
    std::size_t used = 0;     ///< Bytes that are done with.
    std::uint64_t lines = 0;  ///< Lines in them.
    bool found = false;       ///< There is an entry, perhaps of bytes that were used up before. Neither that nor bytes used: more bytes are needed.
};

/// Entries out of bytes. Pure; one thread. Throws LogBytesError for what its format does not say.
class EntryDecoder {
public:
    virtual ~EntryDecoder() = default;

    /// `last`: nothing more follows for now, so that what needs a following line to be known to be whole is whole. Changes bytes in place (quotes, tabs),
    /// but none that it has not used.
    virtual Decoded decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) = 0;

    /// Lines that were none of this format's and were passed over since the last call.
    [[nodiscard]] virtual std::uint64_t take_foreign() { return 0; }
    /// What entries of this format can have.
    [[nodiscard]] virtual bool has_numbers() const { return true; }
    /// They begin at 1 in each session; else somewhere.
    [[nodiscard]] virtual bool numbers_from_one() const { return has_numbers(); }
    [[nodiscard]] virtual bool has_sessions() const { return true; }
    [[nodiscard]] virtual bool has_database() const { return true; }
    [[nodiscard]] virtual bool has_transactions() const { return true; }
};

/// A decoder's complaint, without the file, which it does not know.
struct LogBytesError {
    bool cut = false;        ///< A part of the entry is missing.
    std::uint64_t line = 0;  ///< Lines of the given bytes before it.
    const char* what = "";
};

}  // namespace rowferry
