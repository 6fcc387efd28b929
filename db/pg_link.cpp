#include "db/pg_link.h"

#include <cerrno>
#include <charconv>

#include <fmt/format.h>
#include <poll.h>

#include "schemas/identifier.h"

namespace rowferry {
namespace {
constexpr std::chrono::milliseconds kForever{-1};
// A server that does not answer at all within this time counts as gone.
constexpr std::chrono::seconds kConnectTimeout{30};
}  // namespace

PgLink::PgLink(const PgConninfo& conninfo, Kind kind, PgRole role, const std::string& application_name, const StopSignal& stop) : stop_{stop} {
    std::vector<PgConninfo::Keyword> keywords{{"application_name", application_name}};
    if (kind == Kind::replication) keywords.push_back({"replication", "database"});
    connection_ = PQconnectStart(conninfo.with(keywords).c_str());
    try {
        if (connection_ == nullptr) throw std::bad_alloc{};
        PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
        const auto deadline = std::chrono::steady_clock::now() + kConnectTimeout;
        for (PostgresPollingStatusType state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(connection_)) {
            if (state == PGRES_POLLING_FAILED || PQstatus(connection_) == CONNECTION_BAD) fail(conninfo.describe());
            pollfd fds[] = {{PQsocket(connection_), static_cast<short>(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0},
                            {stop_.fd(), POLLIN, 0}};
            // PQconnectPoll may be called only once the socket is ready, or it blocks.
            while (fds[0].revents == 0) {
                ::poll(fds, 2, 1000);
                stop_.check();
                if (std::chrono::steady_clock::now() > deadline) throw PgError{"", conninfo.describe() + ": no answer while connecting"};
            }
        }
        PQsetnonblocking(connection_, 1);
        query(session_settings(role));
    } catch (...) {
        PQfinish(connection_);
        throw;
    }
}

PgLink::~PgLink() {
    // A command that still runs (making a slot waits for old transactions) would go on without us and hold what it has.
    if (PQtransactionStatus(connection_) == PQTRANS_ACTIVE && !streaming_) {
        if (PGcancel* cancel = PQgetCancel(connection_)) {
            char reason[256];
            PQcancel(cancel, reason, sizeof reason);
            PQfreeCancel(cancel);
        }
    }
    PQfreemem(copy_row_);
    PQfinish(connection_);
}

void PgLink::check(const PGresult* result, PGconn* connection, std::string_view doing) {
    switch (PQresultStatus(result)) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_SINGLE_TUPLE:
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
        case PGRES_PIPELINE_SYNC:
        case PGRES_EMPTY_QUERY: return;
        default: break;
    }
    const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* primary = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    // The primary message only: DETAIL may hold row values.
    const std::string reason = primary != nullptr ? primary : PQerrorMessage(connection);
    throw PgError{state == nullptr ? "" : state, fmt::format("{}: {}", doing, printable(reason))};
}

void PgLink::fail(std::string_view doing) {
    const std::string reason = PQerrorMessage(connection_);
    throw PgError{"", fmt::format("{}: {}", doing, printable(reason.empty() ? "the connection is closed" : reason))};
}

void PgLink::wait(int other, std::chrono::milliseconds timeout, bool writing) {
    const short events = writing ? static_cast<short>(POLLIN | POLLOUT) : static_cast<short>(POLLIN);
    pollfd fds[] = {{PQsocket(connection_), events, 0}, {stop_.fd(), POLLIN, 0}, {other, POLLIN, 0}};
    const int ready = ::poll(fds, other < 0 ? 2 : 3, static_cast<int>(timeout.count()));
    if (ready < 0 && errno != EINTR) fail("poll");
    stop_.check();
}

void PgLink::flush() {
    for (;;) {
        const int pending = PQflush(connection_);
        if (pending == 0) return;
        if (pending < 0) fail("sending");
        wait(-1, kForever, true);
        // The server may be stuck sending to us: read what it has, or both sides wait for ever.
        if (PQconsumeInput(connection_) == 0) fail("receiving");
    }
}

PgResult PgLink::next_result() {
    flush();
    while (PQisBusy(connection_) != 0) {
        wait(-1, kForever);
        if (PQconsumeInput(connection_) == 0) fail("receiving");
    }
    return PgResult{PQgetResult(connection_)};
}

PgResult PgLink::query(const std::string& sql) {
    if (PQsendQuery(connection_, sql.c_str()) == 0) fail("sending a query");
    PgResult last;
    while (PgResult result = next_result()) {
        try {
            check(result.get(), connection_, printable(sql, 60));
        } catch (const Error&) {
            drain();
            throw;
        }
        last = std::move(result);
        const auto state = PQresultStatus(last.get());
        streaming_ = streaming_ || state == PGRES_COPY_BOTH;
        if (state == PGRES_COPY_IN || state == PGRES_COPY_OUT || state == PGRES_COPY_BOTH) break;
    }
    return last;
}

void PgLink::prepare(const std::string& name, const std::string& sql, const std::vector<Oid>& types) {
    if (PQsendPrepare(connection_, name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data()) == 0) fail("preparing");
    while (const PgResult result = next_result()) {
        try {
            check(result.get(), connection_, printable(sql, 120));
        } catch (const Error&) {
            drain();
            throw;
        }
    }
}

void PgLink::drain() {
    while (const PgResult result = next_result()) {
        const auto state = PQresultStatus(result.get());
        if (state == PGRES_COPY_IN) PQputCopyEnd(connection_, "given up");
        if (state == PGRES_FATAL_ERROR && PQstatus(connection_) == CONNECTION_BAD) return;
    }
}

void PgLink::put_copy(std::string_view data) {
    for (;;) {
        const int put = PQputCopyData(connection_, data.data(), static_cast<int>(data.size()));
        if (put < 0) fail("COPY");
        // libpq rather lets its buffer grow than makes us wait, up to the size of the whole COPY.
        flush();
        if (put == 1) return;
    }
}

std::uint64_t PgLink::end_copy() {
    for (;;) {
        const int put = PQputCopyEnd(connection_, nullptr);
        if (put == 1) break;
        if (put < 0) fail("COPY");
        flush();
    }
    std::uint64_t rows = 0;
    while (const PgResult result = next_result()) {
        try {
            check(result.get(), connection_, "COPY");
        } catch (const Error&) {
            drain();
            throw;
        }
        const std::string_view count = PQcmdTuples(result.get());
        std::from_chars(count.data(), count.data() + count.size(), rows);
    }
    return rows;
}

bool PgLink::get_copy(std::string_view& row) {
    for (;;) {
        PQfreemem(copy_row_);
        copy_row_ = nullptr;
        const int size = PQgetCopyData(connection_, &copy_row_, 1);
        if (size > 0) {
            row = {copy_row_, static_cast<std::size_t>(size)};
            return true;
        }
        if (size == -1) {
            while (const PgResult result = next_result()) check(result.get(), connection_, "COPY");
            return false;
        }
        if (size == -2) fail("COPY");
        wait(-1, kForever);
        if (PQconsumeInput(connection_) == 0) fail("COPY");
    }
}

}  // namespace rowferry
