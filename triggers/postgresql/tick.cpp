#include "triggers/postgresql/tick.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry::pg_capture {
namespace {

[[noreturn]] void bad(std::string_view text) { throw HaltError{fmt::format("\"{}\" is not a snapshot of a PostgreSQL server", printable(text, 80))}; }

/// The number at the front of `text`, which it is taken from together with the `separator` behind it.
std::uint64_t take_number(std::string_view whole, std::string_view& text, char separator) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{}) bad(whole);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (separator != '\0') {
        if (!text.starts_with(separator)) bad(whole);
        text.remove_prefix(1);
    }
    return number;
}

}  // namespace

bool SnapshotBounds::sees(std::uint64_t xid) const { return xid < xmin || (xid < xmax && !std::ranges::binary_search(running, xid)); }

std::string SnapshotBounds::running_array() const { return fmt::format("{{{}}}", fmt::join(running, ",")); }

SnapshotBounds parse_snapshot(std::string_view text) {
    std::string_view rest = text;
    SnapshotBounds bounds;
    bounds.xmin = take_number(text, rest, ':');
    bounds.xmax = take_number(text, rest, ':');
    while (!rest.empty()) {
        bounds.running.push_back(take_number(text, rest, '\0'));
        if (rest.empty()) break;
        if (!rest.starts_with(',') || rest.size() == 1) bad(text);
        rest.remove_prefix(1);
    }
    if (bounds.xmin > bounds.xmax || !std::ranges::is_sorted(bounds.running)) bad(text);
    if (!bounds.running.empty() && (bounds.running.front() < bounds.xmin || bounds.running.back() >= bounds.xmax)) bad(text);
    return bounds;
}

std::string resume_text(const Tick& tick) { return tick.tag + " " + tick.snapshot; }

Tick parse_resume(std::uint64_t number, std::string_view text) {
    const auto space = text.find(' ');
    if (space == std::string_view::npos) throw HaltError{"the checkpoint does not hold the leader's snapshot: it was not written by this capture method"};
    Tick tick{number, std::string{text.substr(0, space)}, std::string{text.substr(space + 1)}};
    static_cast<void>(parse_snapshot(tick.snapshot));
    return tick;
}

std::string between_snapshots(std::string_view columns, std::string_view and_where, const SnapshotBounds& from, const SnapshotBounds* to) {
    std::string seen;
    if (to != nullptr) seen = fmt::format(" AND xid < {} AND xid <> ALL ('{}'::bigint[])", to->xmax, to->running_array());
    std::string sql = fmt::format("SELECT {} FROM rowferry.capture_change WHERE xid >= {}{}{}", columns, from.xmax, seen, and_where);
    if (!from.running.empty())
        sql += fmt::format(" UNION ALL SELECT {} FROM rowferry.capture_change WHERE xid = ANY ('{}'::bigint[]){}{}", columns, from.running_array(), seen, and_where);
    return sql;
}

}  // namespace rowferry::pg_capture
