#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_publication.h"
#include "decoder/pgoutput/pg_shapes.h"
#include "schemas/leader.h"

namespace rowferry {

/// What the stream of changes itself does not show: a table taken out of the publication, updates of a table that is published for inserts
/// only, a new partition beside the published ones, a shape that changed without a message, new tables, and whether commits on the leader wait for us. Asked at the start and every ten
/// seconds over a connection of its own.
class PgWatch {
public:
    /// `shapes` outlives the watch. Looks at once.
    PgWatch(const PgConninfo& conninfo, const StreamRequest& request, PgShapes& shapes);

    /// Looks now if it is time. Throws HaltError for what would otherwise be missed silently.
    void look_if_due();
    void look();
    void look_soon() { last_look_ = {}; }
    /// Our name is in synchronous_standby_names.
    [[nodiscard]] bool leader_waits_for_us() const noexcept { return leader_waits_; }

private:
    /// The publication's comment. Throws HaltError when it, or the publication, is gone.
    PublicationNote read_note();
    void look_at_publication(const PublicationNote& note);
    void look_at_leaves(const std::string& before, const std::string& now);
    void look_at_insert_only_tables(const PublicationNote& note);
    void narrow(std::vector<PgTable>& tables) const;
    void look_at_trigger();
    void look_at_shapes();
    void look_at_new_tables();
    void look_at_partitions();
    void look_at_standby_names();

    PgSession session_;
    std::string stream_;
    TableSelection selection_;
    TableRules rules_;
    bool partition_roots_;
    PgShapes& shapes_;
    std::optional<bool> announced_;  ///< The event triggers were there at the last look.
    std::set<std::string> told_leaves_;
    bool leader_waits_ = false;
    std::chrono::steady_clock::time_point last_look_{};
};

}  // namespace rowferry
