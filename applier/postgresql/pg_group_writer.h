#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "applier/postgresql/net_changes.h"
#include "applier/postgresql/pg_array.h"
#include "applier/postgresql/pg_change_sender.h"
#include "applier/postgresql/pg_copy_stream.h"
#include "applier/postgresql/pg_group_plan.h"
#include "applier/postgresql/pg_pipeline.h"

namespace rowferry {

/// Something about a group is not as it should be. It says neither what nor where, because the statements speak of many rows at once: its
/// changes are taken back and applied one by one, which tells.
struct PgGroupFailed {
    const PgTablePlan* plan = nullptr;
    std::string why;  ///< For the debug log.
};

/// Writes what the changes of a table come to: removals, updates, and a few inserts by arrays through the pipeline, many inserts by COPY.
/// Removals come first and inserts last, so that a row may take the place of another one in a unique key. One thread.
class PgGroupWriter {
public:
    PgGroupWriter(PgPipeline& pipeline, PgChangeSender& sender, PgLink& link) : pipeline_{pipeline}, sender_{sender}, copy_{link} {}

    /// Queues everything but inserts. The pipeline's handler sees one result per statement, of kind rows (or change). Throws ValueError.
    void send(PgTablePlan& plan, const NetChanges& net);
    /// Are there as many that the pipeline has to be left for them?
    [[nodiscard]] static bool copies(const NetChanges& net);
    [[nodiscard]] static bool copies(std::size_t inserts);
    /// Queues the inserts, or with copies() writes them: the pipeline has to be finished then. Throws ValueError, PgGroupFailed.
    /// `before`: SQL that the server gets together with the COPY.
    void send_inserts(PgTablePlan& plan, const NetChanges& net, std::string_view before = {});

    /// The server waits for more rows, or for us to read its answer.
    [[nodiscard]] bool copying() const noexcept { return copy_.awaiting(); }

private:
    /// Does the first value that is not NULL come in binary form? Changes of a group never mix.
    [[nodiscard]] static bool in_binary(const NetChanges& net);
    using Rows = std::vector<const NetChanges::Row*>;
    struct Bucket {
        PgStatement* statement = nullptr;
        Rows rows;
    };
    Rows& bucket(PgStatement* statement);
    void send_rows(PgTablePlan& plan, PgStatement& statement, const Rows& rows, bool there);
    void send_array(PgTablePlan& plan, PgStatement& statement, std::uint32_t expected);
    void copy(const PgTablePlan& plan, const NetChanges& net, std::string_view before);

    PgPipeline& pipeline_;
    PgChangeSender& sender_;
    PgCopyStream copy_;
    Rows removed_;
    Rows absent_;
    Rows inserted_;
    std::vector<Bucket> updated_;  // memory is kept; those in use are the first ones
    std::size_t buckets_ = 0;
    std::vector<PgArray> arrays_;
    std::vector<const char*> values_;
    std::vector<int> lengths_;
};

}  // namespace rowferry
