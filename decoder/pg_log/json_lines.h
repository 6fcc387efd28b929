#pragma once

#include <string>

#include "decoder/pg_log/log_entry.h"
#include "decoder/pg_log/log_time.h"

namespace rowferry {

/// log_destination = jsonlog, PostgreSQL 15 and later: one JSON object a line, without what it would say nothing about.
class JsonLines : public EntryDecoder {
public:
    Decoded decode(char* bytes, std::size_t size, bool last, const BytePlace& at, LogEntry& entry) override;

private:
    std::string texts_;  ///< What the last entry's views look at.
    LogClock clock_;
};

}  // namespace rowferry
