#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "applier/postgresql/pg_table_plan.h"
#include "db/pg_link.h"

namespace rowferry {

/// Statements on their way through libpq's pipeline mode. What is queued is bounded by bytes: libpq moves its whole backlog with every
/// partial write, so an unbounded one costs quadratic time. A segment is closed by a sync once it is large enough; the one before it is
/// then read to its end, so that the server always has work while we fill the next. Writing reads at the same time (PgLink::flush), or
/// both sides could wait for each other.
class PgPipeline {
public:
    /// What a result belongs to. `plan` and `statement` (nullptr: not kept) outlive the pipeline; `event` is an index into the caller's
    /// events.
    struct Pending {
        enum class Kind : std::uint8_t { control, truncate, advance, commit, log_place, change, rows, displaced, prepare, sync };
        Kind kind = Kind::control;
        bool counts_replaced = false;
        std::uint32_t expected = 0;  ///< Kind rows: how many have to be affected.
        bool of_many = false;        ///< Belongs to no single event.
        PgTablePlan* plan = nullptr;
        const PgStatement* statement = nullptr;
        std::uint32_t event = 0;
        PgStatement* prepares = nullptr;
    };
    /// Sees every result but those of syncs, in order; throws for a failed one. After that only abandon() is allowed.
    using Handler = std::function<void(const Pending&, const PGresult*)>;

    PgPipeline(PgLink& link, Handler handler) : link_{link}, handler_{std::move(handler)} {}

    /// Text without parameters.
    void control(const char* sql, Pending::Kind kind = Pending::Kind::control, std::uint32_t event = 0);
    /// `values`, `lengths`: one per parameter; they are copied before the call returns.
    void send(PgStatement& statement, std::span<const char* const> values, std::span<const int> lengths, const Pending& pending) {
        send(statement, values, lengths, statement.formats, pending);
    }
    /// The same with other formats than the statement's own.
    void send(PgStatement& statement, std::span<const char* const> values, std::span<const int> lengths, std::span<const int> formats,
              const Pending& pending);
    /// Sends everything, reads every result, and leaves pipeline mode, so that COPY may follow.
    void finish();
    /// The same after an error, without a look at the results. Statements whose preparation was not answered are prepared again, under
    /// another name, when they are next sent. False when the connection is of no further use. Never throws.
    bool abandon() noexcept;

private:
    void enter();
    void queued(std::size_t bytes, const Pending& pending);
    void close_segment();
    void read_segment();

    PgLink& link_;
    Handler handler_;
    std::vector<Pending> pending_;  // a queue: those before first_ are done
    std::size_t first_ = 0;
    std::size_t segments_ = 0;    // closed and not read to their end
    std::size_t bytes_ = 0;       // in the open segment
    std::size_t statements_ = 0;  // in the open segment
    bool active_ = false;
};

}  // namespace rowferry
