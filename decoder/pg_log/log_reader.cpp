#include "decoder/pg_log/log_reader.h"

#include <algorithm>
#include <deque>
#include <functional>

#include <nlohmann/json.hpp>

#include "decoder/pg_log/log_entries.h"
#include "decoder/pg_log/log_prelude.h"
#include "decoder/pg_log/log_sessions.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

constexpr std::size_t kLookedAt = 16UL << 20;    ///< Bytes of the log's beginning that may show what it has.
constexpr std::size_t kEntriesAtOnce = 20'000;   ///< Of one call of next().
constexpr std::uint64_t kOrdinals = 1ULL << 16;

/// JSON has valid UTF-8 only; names and settings may be anything. Each byte becomes a code point.
std::string widen(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xC0 | (byte >> 6));
            out += static_cast<char>(0x80 | (byte & 0x3F));
        }
    }
    return out;
}

std::string narrow(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x80 && i + 1 < text.size())
            out += static_cast<char>(((byte & 0x03) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3F));
        else
            out += text[i];
    }
    return out;
}

/// A place where reading can begin again: before an entry, with what the sessions were like.
struct Snapshot {
    LogFileId file;
    std::uint64_t offset = 0, line = 1;
    std::vector<SessionState> sessions;
    [[nodiscard]] LogSpot spot() const { return {file.number, offset}; }
};

/// Somebody said that a session's statement had returned, behind the entry at this place.
struct Proof {
    LogSpot spot;
    std::string session;
};

nlohmann::json to_json(const SessionState& state) {
    nlohmann::json settings = nlohmann::json::array();
    for (const auto& [name, sql] : state.session.settings) settings.push_back({widen(name), widen(sql)});
    nlohmann::json pending = nlohmann::json::array();
    if (state.pending) {
        pending = {state.pending->extended, state.pending->text_hash, state.pending->text_size, state.pending->transaction, nlohmann::json::array()};
        for (const SettingChange& one : state.pending->settings) pending[4].push_back({static_cast<int>(one.kind), widen(one.name), widen(one.sql), widen(one.isolation)});
    }
    return {state.session.pid, widen(state.session.id), widen(state.session.user), widen(state.session.database), widen(state.session.application), state.next_number,
            std::string(1, state.block), state.transaction, widen(state.isolation), state.known, settings, pending, state.session.settings_known};
}

SessionState session_from(const nlohmann::json& json) {
    SessionState out;
    out.session.pid = json.at(0).get<std::uint32_t>();
    out.session.id = narrow(json.at(1).get<std::string>());
    out.session.user = narrow(json.at(2).get<std::string>());
    out.session.database = narrow(json.at(3).get<std::string>());
    out.session.application = narrow(json.at(4).get<std::string>());
    out.next_number = json.at(5).get<std::uint64_t>();
    out.block = json.at(6).get<std::string>().at(0);
    out.transaction = json.at(7).get<std::string>();
    out.isolation = narrow(json.at(8).get<std::string>());
    out.known = json.at(9).get<bool>();
    for (const auto& one : json.at(10)) out.session.settings.emplace_back(narrow(one.at(0).get<std::string>()), narrow(one.at(1).get<std::string>()));
    out.session.settings_known = json.at(12).get<bool>();
    const auto& pending = json.at(11);
    if (pending.empty()) return out;
    out.pending.emplace();
    out.pending->extended = pending.at(0).get<bool>();
    out.pending->text_hash = pending.at(1).get<std::uint64_t>();
    out.pending->text_size = pending.at(2).get<std::uint64_t>();
    out.pending->transaction = pending.at(3).get<std::string>();
    for (const auto& one : pending.at(4)) {
        out.pending->settings.push_back(
            {static_cast<SqlKind>(one.at(0).get<int>()), narrow(one.at(1).get<std::string>()), narrow(one.at(2).get<std::string>()), narrow(one.at(3).get<std::string>())});
    }
    return out;
}

}  // namespace

struct LogReader::Parts {
    Parts(LogSettings given, Touches& touches, std::string_view resume)
        : settings{std::move(given)}, entries{settings}, order{touches, settings.default_isolation}, sessions{settings, entries.makeup(), order} {
        if (!settings.complete && entries.shows_completeness(kLookedAt)) sessions.shown_complete();
        begun = settings.begin_behind.empty();
        if (!begun && resume.empty()) prelude.emplace(settings, entries.makeup());
        if (!resume.empty()) go_on(resume);
    }

    void go_on(std::string_view resume) {
        try {
            const auto json = nlohmann::json::parse(resume);
            if (json.at("v").get<int>() != 1) throw HaltError{"the position in the log was written by another version of rowferry"};
            Snapshot at;
            at.file = {json.at("file").get<std::uint64_t>(), json.at("hash").get<std::uint64_t>()};
            at.offset = json.at("offset").get<std::uint64_t>();
            at.line = json.at("line").get<std::uint64_t>();
            given = {json.at("position").at(0).get<std::uint64_t>(), json.at("position").at(1).get<std::uint64_t>()};
            for (const auto& one : json.at("sessions")) at.sessions.push_back(session_from(one));
            for (const auto& one : json.at("proofs")) {
                proofs.push_back({{one.at(0).get<std::uint64_t>(), one.at(1).get<std::uint64_t>()}, narrow(one.at(2).get<std::string>())});
            }
            begun = true;
            to_prove = proofs.size();
            entries.seek(at.file, at.offset, at.line);
            sessions.restore(at.sessions);
            sessions.replaying(true);
            replaying = true;
            snapshots.push_back(std::move(at));
        } catch (const nlohmann::json::exception&) {
            throw HaltError{"the position in the log that the follower keeps is damaged"};
        }
    }

    void take(const LogEntries::Next& next) {
        if (!begun) {
            begun = next.entry.message.find(settings.begin_behind) != std::string_view::npos;
            if (!begun) return prelude->take(next);
            sessions.expect(prelude->sessions());
            prelude.reset();
            return;
        }
        while (order.interrupted()) release();
        const EntrySite site{next.place, next.spot, ++count};
        prove_again(site.spot);
        if (replaying && site.spot > LogSpot{given.major, given.minor / kOrdinals}) {
            if (given.major != 0 && last.spot != LogSpot{given.major, given.minor / kOrdinals}) {
                throw LogError{LogStop::missing_file, site.place, "the entry to go on from is not in the log any more: a file before this one is missing, or was changed; copy the tables again"};
            }
            replaying = false;
            sessions.replaying(false);
        }
        if (snapshots.empty() || snapshots.back().file.number != site.spot.file || site.spot.offset - snapshots.back().offset >= settings.snapshot_every) {
            const LogSpot needed = oldest(site.spot);
            while (snapshots.size() > 1 && snapshots[1].spot() <= needed) snapshots.pop_front();
            while (!proofs.empty() && to_prove < proofs.size() && proofs.front().spot < snapshots.front().spot()) proofs.pop_front();
            if (snapshots.empty() || snapshots.back().spot() < site.spot) snapshots.push_back({entries.file(), site.spot.offset, next.entry.line, sessions.states()});
        }
        last = site;
        ordinal = 0;
        sessions.entry(next.entry, site);
        release();
    }

    /// What was said from outside when this part of the log was read before.
    void prove_again(LogSpot before) {
        for (; to_prove > 0 && proofs[proofs.size() - to_prove].spot < before; --to_prove) {
            while (order.interrupted()) release();
            sessions.prove(proofs[proofs.size() - to_prove].session, count);
            release();
        }
    }

    void prove(std::string_view id) {
        while (order.interrupted()) release();
        proofs.push_back({last.spot, std::string{id}});
        sessions.prove(id, ++count);
        release();
    }

    /// What finish() is for, as far as the next definition.
    void complete() {
        LogEntries::Next next;
        while (!order.interrupted() && entries.next(next)) take(next);
        if (order.interrupted()) return;
        prove_again({last.spot.file, last.spot.offset + 1});
        if (!left) {
            left.emplace();
            for (const auto& [session, since] : sessions.unproven()) left->emplace_back(since, session->id);
            std::sort(left->begin(), left->end(), std::greater<>{});
        }
        for (; !order.interrupted() && !left->empty(); left->pop_back()) prove(left->back().second);
        at_end = !order.interrupted();
    }

    void release() {
        std::vector<TransactionPtr> released;
        order.release(released);
        for (const TransactionPtr& one : released) {
            const Position position{last.spot.file, last.spot.offset * kOrdinals + ordinal};
            if (++ordinal == kOrdinals) throw LogError{LogStop::too_large, last.place, "more than 65,535 transactions waited for this entry"};
            sessions.given(one->bytes);
            ++transactions;
            if (last.spot >= LogSpot{given.major, given.minor / kOrdinals}) let_out.emplace_back(last.spot, one->first);
            if (position <= given) continue;
            one->out.position = position;
            ready.push_back(one);
        }
    }

    [[nodiscard]] LogSpot oldest(LogSpot now) const {
        now = std::min({now, sessions.oldest(now), order.oldest(now)});
        for (const TransactionPtr& one : ready) now = std::min(now, one->first);
        for (const auto& [spot, first] : let_out) now = std::min(now, first);
        return now;
    }

    void gave(Position position) {
        given = position;
        while (!let_out.empty() && let_out.front().first < LogSpot{given.major, given.minor / kOrdinals}) let_out.pop_front();
    }

    LogSettings settings;
    std::optional<LogPrelude> prelude;
    LogEntries entries;
    CommitOrder order;
    LogSessions sessions;
    std::deque<Snapshot> snapshots;
    std::deque<Proof> proofs;
    std::size_t to_prove = 0;  ///< The last ones of these were not said again yet.
    std::deque<TransactionPtr> ready;
    std::deque<std::pair<LogSpot, LogSpot>> let_out;  ///< Which entry let a transaction out, and its first one: those of one entry are counted, so all of them are read again.
    EntrySite last;
    LogOrder count = 0;
    std::uint64_t ordinal = 0, transactions = 0;
    Position given;
    bool begun = false, replaying = false, at_end = false, finishing = false;
    std::optional<std::vector<std::pair<LogTime, std::string>>> left;  ///< Sessions to be proven by finish(), the first one last.
};

LogReader::LogReader(LogSettings settings, Touches& touches, std::string_view resume) : parts_{std::make_unique<Parts>(std::move(settings), touches, resume)} {}
LogReader::~LogReader() = default;

std::optional<LoggedTransaction> LogReader::next() {
    Parts& parts = *parts_;
    LogEntries::Next next;
    while (parts.ready.empty() && parts.order.interrupted()) {
        parts.release();
        if (parts.finishing) parts.complete();
    }
    for (std::size_t i = 0; parts.ready.empty() && i < kEntriesAtOnce; ++i) {
        if (!parts.entries.next(next)) {
            parts.at_end = parts.entries.at_end();
            parts.prove_again({parts.last.spot.file, parts.last.spot.offset + 1});
            break;
        }
        parts.at_end = false;
        parts.take(next);
    }
    if (parts.ready.empty()) return {};
    const TransactionPtr out = parts.ready.front();
    parts.ready.pop_front();
    parts.gave(out->out.position);
    return std::move(out->out);
}

bool LogReader::at_end() const { return parts_->at_end && parts_->ready.empty() && !parts_->order.interrupted(); }

std::string LogReader::resume() const {
    const Parts& parts = *parts_;
    if (parts.snapshots.empty()) return {};
    const LogSpot needed = parts.oldest(parts.last.spot);
    auto at = parts.snapshots.begin();
    while (std::next(at) != parts.snapshots.end() && std::next(at)->spot() <= needed) ++at;
    nlohmann::json json{{"v", 1},           {"file", at->file.number}, {"hash", at->file.hash}, {"offset", at->offset}, {"line", at->line}, {"position", {parts.given.major, parts.given.minor}},
                        {"sessions", nlohmann::json::array()}, {"proofs", nlohmann::json::array()}};
    for (const SessionState& one : at->sessions) json["sessions"].push_back(to_json(one));
    for (const Proof& one : parts.proofs)
        if (one.spot >= at->spot()) json["proofs"].push_back({one.spot.file, one.spot.offset, widen(one.session)});
    return json.dump();
}

Position LogReader::position() const { return parts_->given; }

std::vector<UnprovenSession> LogReader::unproven() const {
    std::vector<UnprovenSession> out;
    for (const auto& [session, since] : parts_->sessions.unproven()) out.push_back({session->id, session->pid, since});
    return out;
}

void LogReader::prove(std::string_view session_id) { parts_->prove(session_id); }

void LogReader::finish() {
    parts_->entries.finish();
    parts_->finishing = true;
    parts_->complete();
}

std::vector<std::string> LogReader::take_warnings() {
    auto out = parts_->entries.take_warnings();
    for (auto& one : parts_->sessions.take_warnings()) out.push_back(std::move(one));
    return out;
}

LogTime LogReader::server_started() const { return parts_->sessions.server_started(); }

LogReader::Counters LogReader::counters() const { return {parts_->count, parts_->transactions, parts_->sessions.rolled_back()}; }

}  // namespace rowferry
