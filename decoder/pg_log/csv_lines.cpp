#include "decoder/pg_log/csv_lines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace rowferry {
namespace {

constexpr std::size_t kFields = 32;  ///< More than any version has.
constexpr std::size_t kLeast = 23;

template <typename Number>
bool to_number(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Doubled quotes of [from, to) become single ones, in place.
std::string_view unquote(char* from, char* to) {
    char* out = from;
    for (const char* at = from; at < to; ++at) {
        *out++ = *at;
        if (*at == '"') ++at;
    }
    return {from, static_cast<std::size_t>(out - from)};
}

struct Field {
    char* from = nullptr;
    char* to = nullptr;
    bool doubled = false;
};

}  // namespace

std::optional<Severity> severity_named(std::string_view name) {
    if (name == "LOG") return Severity::log;
    if (name == "ERROR") return Severity::error;
    if (name == "FATAL") return Severity::fatal;
    if (name == "PANIC") return Severity::panic;
    if (name == "WARNING") return Severity::warning;
    if (name == "NOTICE" || name == "INFO") return Severity::notice;
    if (name.starts_with("DEBUG")) return Severity::debug;
    return {};
}

LogTime session_start_of(std::string_view session_id) {
    std::uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(session_id.data(), session_id.data() + session_id.size(), seconds, 16);
    if (error != std::errc{} || seconds > (1ULL << 40)) return 0;
    return static_cast<LogTime>(seconds) * 1'000'000;
}

Decoded CsvLines::decode(char* bytes, std::size_t size, bool /*last*/, const BytePlace& place, LogEntry& entry) {
    std::array<Field, kFields> fields;
    std::size_t count = 0;
    char* const end = bytes + size;
    char* at = bytes;
    for (bool more = true; more;) {
        if (count == kFields) throw LogBytesError{false, 0, "a csvlog line with too many fields"};
        Field& field = fields[count++];
        if (at < end && *at == '"') {
            field.from = ++at;
            for (;;) {
                at = static_cast<char*>(std::memchr(at, '"', static_cast<std::size_t>(end - at)));
                if (at == nullptr || at + 1 == end) return {};
                if (at[1] != '"') break;
                field.doubled = true;
                at += 2;
            }
            field.to = at++;
        } else {
            field.from = at;
            while (at < end && *at != ',' && *at != '\n' && *at != '"') ++at;
            field.to = at;
        }
        if (at == end) return {};
        if (*at == '\n')
            more = false;
        else if (*at != ',')
            throw LogBytesError{false, 0, "a quote within a field of a csvlog line"};
        ++at;
    }
    if (count < kLeast) throw LogBytesError{false, 0, "a csvlog line with too few fields"};
    const auto lines = static_cast<std::uint64_t>(std::count(bytes, at, '\n'));
    const auto text = [&](std::size_t i) -> std::string_view {
        const Field& field = fields[i];
        return field.doubled ? unquote(field.from, field.to) : std::string_view{field.from, static_cast<std::size_t>(field.to - field.from)};
    };
    LogEntry read;
    const auto time = clock_.read(text(0));
    const auto severity = severity_named(text(11));
    if (!time || !to_number(text(3), read.pid) || !to_number(text(6), read.number)) throw LogBytesError{false, 0, "not a csvlog line: no time, process and line number"};
    if (!severity) throw LogBytesError{false, 0, "a severity that is none in English: lc_messages has to be C or English"};
    read.time = time->time;
    read.severity = *severity;
    read.session = text(5);
    read.session_start = session_start_of(read.session);
    read.user = text(1);
    read.database = text(2);
    read.activity = text(7);
    read.transaction = text(9);
    if (!to_number(text(10), read.xid)) read.xid = 0;
    read.message = text(13);
    read.detail = text(14);
    read.statement = text(19);
    read.has_statement = !read.statement.empty();
    read.application = text(22);
    read.line = place.line;
    read.offset = place.offset;
    entry = read;
    return {static_cast<std::size_t>(at - bytes), lines, true};
}

}  // namespace rowferry
