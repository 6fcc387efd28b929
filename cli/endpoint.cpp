#include "cli/endpoint.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "db/pg_conninfo.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::string_view kAccepted = "a database is postgresql://[user@]host[:port]/dbname[?options] or sqlite:PATH";

bool is_postgresql(std::string_view text) { return text.starts_with("postgresql://") || text.starts_with("postgres://"); }

/// The part before the first colon when it looks like a URI scheme; a password never stands there.
std::string_view scheme(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0) return {};
    const std::string_view head = text.substr(0, colon);
    const bool plain = std::all_of(head.begin(), head.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
    return plain ? head : std::string_view{};
}

}  // namespace

Endpoint parse_endpoint(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) throw UsageError{fmt::format("a database with a NUL byte in it: {}", kAccepted)};
    if (is_postgresql(text)) {
        std::string uri{text};
        static_cast<void>(PgConninfo{uri});
        return {Engine::postgresql, std::move(uri)};
    }
    if (text.starts_with("sqlite:")) {
        const std::string_view path = text.substr(7);
        if (path.empty()) throw UsageError{"sqlite: without a path: expected sqlite:PATH"};
        // SQLite gives this name a meaning of its own: a database that is gone when the process ends.
        if (path == ":memory:") throw UsageError{"sqlite::memory: cannot be replicated; a file of that name is sqlite:./:memory:"};
        return {Engine::sqlite, std::string{path}};
    }
    const std::string_view kind = scheme(text);
    if (kind == "log" || kind == "nats") throw UsageError{fmt::format("{}: is reserved for a later version; today {}", kind, kAccepted)};
    if (is_postgresql(fmt::format("{}://", kind))) throw UsageError{fmt::format("{}: must be followed by //; {}", kind, kAccepted)};
    if (!kind.empty()) throw UsageError{fmt::format("\"{}:\" is not a kind of database that rowferry knows; {}", printable(kind), kAccepted)};
    throw UsageError{fmt::format("a database without its kind; {}", kAccepted)};
}

bool holds_password(std::string_view text) {
    if (text.starts_with("rows=")) text.remove_prefix(5);  // --on-nondeterministic
    if (!is_postgresql(text)) return false;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{PQconninfoParse(std::string{text}.c_str(), nullptr),
                                                                               &PQconninfoFree};
    if (!options) return false;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        const std::string_view keyword = option->keyword;
        if ((keyword == "password" || keyword == "sslpassword") && option->val != nullptr && *option->val != '\0') return true;
    }
    return false;
}

PositionKind position_kind(Engine leader, CaptureMethod capture) {
    if (capture == CaptureMethod::triggers) return PositionKind::sequence;
    if (capture == CaptureMethod::statements) return PositionKind::log;
    return leader == Engine::postgresql ? PositionKind::lsn : PositionKind::frame;
}

std::string describe(const Endpoint& endpoint) {
    switch (endpoint.engine) {
        case Engine::postgresql: return PgConninfo{endpoint.target}.describe();
        case Engine::sqlite: return "sqlite:" + printable(endpoint.target);
    }
    throw std::logic_error{"engine"};
}

}  // namespace rowferry
