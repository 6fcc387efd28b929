#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "decoder/pg_log/line_prefix.h"
#include "decoder/pg_log/log_entry.h"

namespace rowferry {

/// log_destination = syslog, as syslog daemons write it into files:
///   line := ("Nov 20 19:48:00" | RFC 3339 time) " " host " " ident "[" pid "]: [" message "-" chunk "] " text "\n"
/// The server sends each line of an entry, and what is longer than 900 bytes in pieces, as one chunk. A chunk that goes on the line before begins with whatever is next in it; one
/// that begins a new line of a text with a tab ("#011" where the daemon escapes it); one with DETAIL, STATEMENT … with the prefix. Chunks of several
/// processes may alternate, so an entry is known to be whole when its process begins another one, or nothing came for long. Entries are given in the order of their
/// first chunks.
class SyslogLines : public EntryDecoder {
public:
    explicit SyslogLines(LinePrefix prefix);

    Decoded decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) override;
    std::uint64_t take_foreign() override { return std::exchange(foreign_, 0); }
    bool numbers_from_one() const override { return prefix_.has('l'); }
    bool has_sessions() const override { return prefix_.has('c'); }
    bool has_database() const override { return prefix_.has('d'); }
    bool has_transactions() const override { return prefix_.has('v'); }

    /// The text behind `[n-m] `; none for a line that is not the server's.
    struct Chunk {
        LogTime time = 0;  ///< 0: the daemon's form has no year.
        std::uint32_t pid = 0;
        std::uint64_t message = 0;
        std::uint32_t number = 0;
        std::string_view text;
    };
    [[nodiscard]] static std::optional<Chunk> take_apart(std::string_view line);

private:
    struct Part {
        LineLabel label;
        std::string text;
    };
    struct Message {
        std::uint64_t number = 0;
        std::uint32_t chunks = 1;
        std::size_t last_length = 0;  ///< Of the last chunk, to tell a cut from a new line.
        bool whole = false;
        std::uint64_t row = 0;        ///< Lines read before it.
        std::string prefix;           ///< What the entry's views look at.
        LogEntry entry;
        std::vector<Part> parts;
    };
    void begin(const Chunk& chunk, const BytePlace& at);
    void go_on(const Chunk& chunk);
    [[nodiscard]] bool give(LogEntry& entry, bool last);

    LinePrefix prefix_;
    std::deque<Message> waiting_;
    std::unordered_map<std::uint32_t, std::uint64_t> newest_;  ///< By process: which of all messages is its last one.
    std::uint64_t given_ = 0;                                  ///< Messages that are not in waiting_ any more.
    std::uint64_t rows_ = 0;
    std::uint64_t foreign_ = 0;
    bool raw_ = false;  ///< The daemon leaves control characters alone.
    Message current_;
};

}  // namespace rowferry
