#include "statements/postgresql/session_prover.h"

#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/pg_error.h"
#include "statements/postgresql/log_begin.h"

namespace rowferry {
namespace {

constexpr std::int64_t kBetween = 500;
// A question whose answer never comes through the log is asked again.
constexpr std::int64_t kProofPatienceMs = 10'000;

std::int64_t now_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// %c: the session's beginning and its process, as hexadecimal numbers. Without the right to see it there is no state: then nothing is known of it.
constexpr const char* kSessions =
    "select pg_catalog.to_hex(pg_catalog.trunc(extract(epoch from backend_start))::bigint) || '.' || pg_catalog.to_hex(pid), pid, coalesce(state, '') like 'idle%', "
    "(extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint from pg_catalog.pg_stat_activity where backend_type = 'client backend'";

}  // namespace

SessionProver::SessionProver(PgConninfo leader, std::string application, std::vector<std::string> paths)
    : conninfo_{std::move(leader)}, application_{std::move(application)}, paths_{std::move(paths)} {}

void SessionProver::ask() {
    const std::int64_t now = now_ms();
    if (now < next_ms_) return;
    next_ms_ = now + (pending_ ? kProofPatienceMs : kBetween);
    try {
        if (!session_) session_ = std::make_unique<PgSession>(conninfo_, PgRole::leader, application_ + "_control");
        const PgRows rows = session_->query(kSessions);
        sizes_ = log_sizes(paths_);
        sessions_.clear();
        asked_ = rows.integer(0, 3);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            sessions_.push_back({rows.text(row, 0), rows.text(row, 1), rows.boolean(row, 2)});
            asked_ = std::min(asked_, rows.integer(row, 3));
        }
        std::random_device device;
        token_ = fmt::format("{:08x}{:08x}{:08x}", device(), device(), device());
        session_->query(fmt::format("SELECT 'rowferry looks {}'", token_));
        pending_ = true;
        answered_ = arrived_ = false;
        next_ms_ = now + kProofPatienceMs;
    } catch (const PgError& error) {
        spdlog::debug("the leader cannot be asked about its sessions: {}", error.what());
        session_.reset();
        pending_ = false;
        next_ms_ = now + kProofPatienceMs;
    }
}

/// The log's clock is cut to milliseconds, or to seconds.
bool SessionProver::began_before_question(const UnprovenSession& session) const {
    constexpr LogTime kSecond = 1'000'000;
    constexpr LogTime kMillisecond = 1'000;
    return session.since + (session.since % kSecond == 0 ? kSecond : kMillisecond) <= asked_;
}

bool SessionProver::works(const UnprovenSession& session) const {
    const bool whole = session.id.find('.') != std::string::npos;
    return std::ranges::any_of(sessions_, [&](const Seen& seen) { return !seen.idle && (whole ? seen.id == session.id : seen.pid == std::to_string(session.pid)); });
}

bool SessionProver::look(LogReader& reader) {
    if (!pending_) return false;
    // What the reader has read was read before it arrived, perhaps.
    if (!arrived_) return arrived_ = log_shows(paths_, sizes_, token_);
    bool proven = false;
    for (const UnprovenSession& session : reader.unproven()) {
        if (!began_before_question(session) || works(session)) continue;
        reader.prove(session.id);
        proven = true;
    }
    pending_ = false;
    answered_ = true;
    next_ms_ = now_ms() + kBetween;
    return proven;
}

bool SessionProver::all_known(const LogReader& reader) const {
    return answered_ && std::ranges::all_of(reader.unproven(), [&](const UnprovenSession& session) { return !began_before_question(session) || works(session); });
}

}  // namespace rowferry
