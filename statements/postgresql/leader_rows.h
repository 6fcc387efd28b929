#pragma once

#include <set>
#include <string>

#include "db/pg_conninfo.h"
#include "db/pg_session.h"
#include "db/stop_signal.h"
#include "schemas/table_name.h"

namespace rowferry {

/// The rows of a leader that stands still, for the tables of a scratch that a log's statements do not determine. Holds a snapshot. One thread.
class LeaderRows {
public:
    /// Takes the snapshot.
    LeaderRows(const PgConninfo& leader, std::string application, const StopSignal& stop);

    /// Nobody has written to the leader since the snapshot was taken, and nobody was writing then.
    [[nodiscard]] bool is_still();

    /// Brings the tables to the leader's rows, in the scratch's open transaction. Rows that are as they should be are not touched. Triggers and foreign keys of the scratch are out of the way meanwhile.
    void correct(PgSession& scratch, const std::set<TableName>& tables);

private:
    void correct_table(PgSession& scratch, const TableName& table);

    PgConninfo conninfo_;
    std::string application_;
    const StopSignal& stop_;
    PgSession session_;
    std::string snapshot_;
};

}  // namespace rowferry
