#pragma once

#include <cstdint>
#include <vector>

#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_pipeline.h"
#include "applier/postgresql/pg_table_plan.h"
#include "schemas/arena.h"

namespace rowferry {

/// Converts the cells of a change and queues one of its table's statements with them. One thread.
class PgChangeSender {
public:
    PgChangeSender(PgPipeline& pipeline, PgMismatchLog& log) : pipeline_{pipeline}, log_{log} {}

    /// `event`: index of the change, for its result. Throws ValueError, with the column's name in front, for a value that does not fit and is
    /// not to become NULL; nothing was queued then.
    void send(PgTablePlan& plan, const Change& change, PgStatement& statement, std::uint32_t event,
              PgPipeline::Pending::Kind kind = PgPipeline::Pending::Kind::change);

    /// The value of one parameter in the form in which it is bound: NULL, text, or the bytes of a bytea. Valid until the next send() or
    /// forget(). Throws as send() does.
    [[nodiscard]] Cell value_of(const PgTablePlan& plan, const Change& change, const PgParameter& parameter);
    void forget() noexcept { scratch_.clear(); }

private:
    PgPipeline& pipeline_;
    PgMismatchLog& log_;
    Arena scratch_;
    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
};

}  // namespace rowferry
