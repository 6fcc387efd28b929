#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "replication/stream.h"
#include "schemas/table_copy.h"

namespace rowferry {

/// Copies single tables into a stream that exists, between two stretches of following it. One attempt's leader and follower.
///
///   stream at P ── request seen, source and sink closed at a commit boundary
///        COPYING            the leader captures the tables from here on
///        snapshot at S ≥ P  rows into staging tables
///        LOADED at S
///   stream goes on from P and is fenced at S: what the leader committed up to S is applied, to the old tables too while they take it
///        SWAP at S          one follower transaction: new rows, table states, staging tables gone, DONE
///   stream goes on from S with the new tables
///
/// What is durable is in capitals. A crash before LOADED begins the copy again, one after it goes on from there.
class TableCopies {
public:
    TableCopies(Leader& leader, Follower& follower, const RunOptions& options, const StopSignal& stop, Observer& observer);

    /// Begins with what was asked for. Returns the copy that is loaded, whose position the stream has to reach next; nothing when none is
    /// waiting. A copy that cannot be had is failed here, with the reason for whoever waits, and the stream goes on without it.
    [[nodiscard]] std::optional<TableCopy> prepare(const Checkpoint& checkpoint);

    /// The checkpoint with which the stream is followed up to the swap.
    [[nodiscard]] static Checkpoint towards(const TableCopy& copy, Checkpoint checkpoint);

    /// The stream stopped on its way to the swap: from now on it passes the copy's tables over. False when it did so already.
    [[nodiscard]] bool hold(TableCopy& copy, const Error& why);

    /// The stream stands at the copy's position.
    void swap_in(TableCopy copy, const Checkpoint& checkpoint);

    /// A request of our own, for exactly this table.
    void ask_for(const TableName& table);

    /// Somebody asked for a copy. Looks at most once a second.
    [[nodiscard]] bool asked();

private:
    [[nodiscard]] std::optional<TableCopy> begin(TableCopy copy, const Checkpoint& checkpoint);
    [[nodiscard]] std::vector<TableName> resolve(const TableCopy& copy);
    void load(TableCopy& copy, const std::vector<TableName>& names, const Checkpoint& checkpoint);
    void fail(TableCopy copy, const std::vector<TableName>& names, const Checkpoint& checkpoint, const Error& why);

    Leader& leader_;
    Follower& follower_;
    RunOptions options_;
    const StopSignal& stop_;
    Observer& observer_;
    std::unique_ptr<TableCopier> copier_;
    std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace rowferry
