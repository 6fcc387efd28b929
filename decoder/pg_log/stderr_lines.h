#pragma once

#include <string>

#include "decoder/pg_log/line_prefix.h"
#include "decoder/pg_log/log_entry.h"

namespace rowferry {

/// log_destination = stderr:
///   entry := prefix severity ":  " text { "\n\t" text } "\n" { prefix ("DETAIL" | "HINT" | "QUERY" | "CONTEXT" | "LOCATION" | "STATEMENT" …) ":  " text { "\n\t" text } "\n" }
/// A line without the prefix is another program's that writes to the same place (an archive_command), unless it has a severity in it.
class StderrLines : public EntryDecoder {
public:
    explicit StderrLines(LinePrefix prefix) : prefix_{std::move(prefix)} {}

    Decoded decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) override;
    std::uint64_t take_foreign() override { return std::exchange(foreign_, 0); }
    bool has_numbers() const override { return prefix_.has('l'); }
    bool has_sessions() const override { return prefix_.has('c'); }
    bool has_database() const override { return prefix_.has('d'); }
    bool has_transactions() const override { return prefix_.has('v'); }

private:
    LinePrefix prefix_;
    std::uint64_t foreign_ = 0;
};

}  // namespace rowferry
