#pragma once

#include <optional>

#include "decoder/pg_log/log_entry.h"
#include "decoder/pg_log/log_time.h"

namespace rowferry {

/// log_destination = csvlog, PostgreSQL 9.0 and later:
///   entry := field { "," field } "\n"      field := bare | "\"" { any | "\"\"" } "\""
///   0 time, user, database, pid, client, session id, 6 number in the session, command tag, session start, virtual transaction id, xid, 11 severity, SQLSTATE,
///   13 message, detail, hint, internal query, its position, context, 19 statement, its position, location, 22 application, and from 13 on backend type …
class CsvLines : public EntryDecoder {
public:
    Decoded decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) override;

private:
    LogClock clock_, start_clock_;
};

/// A severity's name in the log; none for one in another language.
[[nodiscard]] std::optional<Severity> severity_named(std::string_view name);
/// Seconds out of a session id, as a time.
[[nodiscard]] LogTime session_start_of(std::string_view session_id);

}  // namespace rowferry
