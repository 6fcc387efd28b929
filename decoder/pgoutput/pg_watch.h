#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_publication.h"
#include "schemas/leader.h"

namespace rowferry {

/// What the stream of changes itself does not show: a table taken out of the publication, updates of a table that is published for inserts
/// only, a new partition beside the published ones, and whether commits on the leader wait for us. Asked at the start and every ten
/// seconds over a connection of its own.
class PgWatch {
public:
    PgWatch(const PgConninfo& conninfo, const StreamRequest& request, const Checkpoint& checkpoint);

    /// Looks now if it is time. Throws HaltError for what would otherwise be missed silently.
    void look_if_due();
    void look();
    /// Our name is in synchronous_standby_names.
    [[nodiscard]] bool leader_waits_for_us() const noexcept { return leader_waits_; }

private:
    /// The publication's comment. Throws HaltError when it, or the publication, is gone.
    PublicationNote read_note();
    void look_at_publication(const PublicationNote& note);
    void look_at_leaves(const std::string& before, const std::string& now);
    void look_at_insert_only_tables(const PublicationNote& note);
    void look_at_shapes();
    void look_at_partitions();
    void look_at_standby_names();

    PgSession session_;
    std::string stream_;
    TableSelection selection_;
    std::vector<TableName> expected_;
    std::vector<TableName> passed_over_;
    std::vector<std::uint32_t> expected_oids_;
    std::vector<TableSchema> shapes_;
    std::set<std::string> told_leaves_;
    bool leader_waits_ = false;
    std::chrono::steady_clock::time_point last_look_{};
};

}  // namespace rowferry
