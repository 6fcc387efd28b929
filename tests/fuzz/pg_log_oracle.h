#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "decoder/pg_log/csv_lines.h"
#include "decoder/pg_log/json_lines.h"
#include "decoder/pg_log/log_sessions.h"
#include "decoder/pg_log/stderr_lines.h"
#include "decoder/pg_log/syslog_lines.h"

namespace rowferry::test {

constexpr const char* kFuzzedPrefix = "%m [%p] %c %l %v %x %q%u@%d %a ";

/// Every table is touched as a whole, so that whatever overlaps is compared.
class EverythingTouches : public Touches {
public:
    std::vector<Touch> touches(const LoggedTransaction& transaction) override {
        std::vector<Touch> out;
        for (std::uint32_t i = 0; i < transaction.statements.size(); ++i) out.push_back({transaction.statements[i].sql.substr(0, 12), "", "", TouchMode::reads, true, i});
        return out;
    }
};

inline std::unique_ptr<EntryDecoder> fuzzed_decoder(LogFormat format) {
    switch (format) {
        case LogFormat::csv: return std::make_unique<CsvLines>();
        case LogFormat::json: return std::make_unique<JsonLines>();
        case LogFormat::syslog: return std::make_unique<SyslogLines>(LinePrefix{kFuzzedPrefix, true});
        default: return std::make_unique<StderrLines>(LinePrefix{kFuzzedPrefix, false});
    }
}

/// Whatever the bytes, they are read to their end, or there is a typed stop. Statements of what was given lie within their transaction's interval. True: no stop.
inline bool read_any_log(LogFormat format, std::string bytes) {
    const auto require = [](bool holds) {
        if (!holds) std::abort();
    };
    LogSettings settings;
    settings.database = "shop";
    settings.most_waiting = 1UL << 20;
    EverythingTouches touches;
    CommitOrder order{touches, "read committed"};
    const auto decoder = fuzzed_decoder(format);
    LogSessions sessions{settings, {decoder->has_numbers(), decoder->numbers_from_one(), decoder->has_sessions(), decoder->has_database(), decoder->has_transactions()}, order};
    std::vector<TransactionPtr> given;
    BytePlace at;
    LogOrder count = 0;
    try {
        for (std::size_t begin = 0;;) {
            LogEntry entry;
            const Decoded decoded = decoder->decode(bytes.data() + begin, bytes.size() - begin, true, at, entry);
            require(decoded.used <= bytes.size() - begin);
            begin += decoded.used;
            at.offset += decoded.used;
            at.line += decoded.lines;
            if (decoded.found) {
                sessions.entry(entry, {{nullptr, entry.line, entry.offset}, {1, entry.offset}, ++count});
                order.release(given);
            } else if (decoded.used == 0 || begin == bytes.size()) {
                break;
            }
        }
        sessions.end_all(++count);
        order.release(given);
    } catch (const LogBytesError&) {
        return false;
    } catch (const Error&) {
        return false;
    }
    for (const TransactionPtr& one : given) {
        require(!one->out.statements.empty() && one->out.commit_after < one->out.commit_before);
        for (const LoggedStatement& statement : one->out.statements) require(!statement.sql.empty() && statement.after < statement.before);
    }
    return true;
}

}  // namespace rowferry::test
