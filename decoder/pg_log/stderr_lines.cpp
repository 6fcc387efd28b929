#include "decoder/pg_log/stderr_lines.h"

#include <cstring>

namespace rowferry {
namespace {

/// The end of the line at `from`, its newline not included; `size` where there is none.
std::size_t line_end(const char* bytes, std::size_t from, std::size_t size) {
    const void* at = std::memchr(bytes + from, '\n', size - from);
    return at == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(at) - bytes);
}

/// Takes the tab behind each newline of [from, to) out again. Gives the new end.
std::size_t take_tabs_out(char* bytes, std::size_t from, std::size_t to) {
    std::size_t out = from;
    for (std::size_t at = from; at < to;) {
        const std::size_t end = line_end(bytes, at, to);
        std::memmove(bytes + out, bytes + at, end - at);
        out += end - at;
        if (end == to) break;
        bytes[out++] = '\n';
        at = end + 1;
        if (at < to && bytes[at] == '\t') ++at;
    }
    return out;
}

}  // namespace

Decoded StderrLines::decode(char* bytes, std::size_t size, bool last, const BytePlace& place, LogEntry& entry) {
    struct Part {
        std::size_t from = 0, to = 0;
        LineLabel label = LineLabel::severity;
        bool lines = false;  ///< It has more than one line.
    };
    Part parts[16];  // the server writes each label once at most
    std::size_t count = 0;
    std::size_t at = 0;
    std::uint64_t foreign = 0, lines = 0;
    LogEntry first;
    while (at < size) {
        const std::size_t end = line_end(bytes, at, size);
        if (end == size) {
            if (count == 0 || !last) return {};
            break;  // the beginning of a line: that of the next entry, as this one's lines come in one piece
        }
        const std::string_view line{bytes + at, end - at};
        if (!line.empty() && line[0] == '\t') {
            if (count == 0) throw LogBytesError{true, lines, "a line that goes on an entry whose beginning is missing"};
            parts[count - 1].to = end;
            parts[count - 1].lines = true;
            at = end + 1;
            ++lines;
            continue;
        }
        LogEntry read;
        LineLabel label{};
        const auto text = prefix_.match(line, read, label);
        if (!text) {
            if (looks_like_log(line)) throw LogBytesError{false, lines, "the line does not begin with the log_line_prefix"};
            at = end + 1;
            ++lines;
            ++foreign;
            if (count > 0) continue;
            foreign_ += foreign;
            return {at, lines, false};
        }
        if (count == 0) {
            if (label != LineLabel::severity) throw LogBytesError{true, lines, "a DETAIL or STATEMENT line whose message is missing"};
            first = read;
        } else if (label == LineLabel::severity || read.pid != first.pid) {
            break;
        } else if (count == std::size(parts)) {
            throw LogBytesError{false, lines, "an entry with too many lines of the same kind"};
        } else {
            ++first.numbers;
        }
        parts[count++] = {at + *text, end, label, false};
        at = end + 1;
        ++lines;
    }
    if (count == 0 || (at >= size && !last)) return {};
    foreign_ += foreign;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t to = parts[i].lines ? take_tabs_out(bytes, parts[i].from, parts[i].to) : parts[i].to;
        const std::string_view text{bytes + parts[i].from, to - parts[i].from};
        if (parts[i].label == LineLabel::severity) first.message = text;
        if (parts[i].label == LineLabel::detail) first.detail = text;
        if (parts[i].label == LineLabel::statement) {
            first.statement = text;
            first.has_statement = true;
        }
    }
    first.line = place.line;
    first.offset = place.offset;
    entry = first;
    return {at, lines, true};
}

}  // namespace rowferry
