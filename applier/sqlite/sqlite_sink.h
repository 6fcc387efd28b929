#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "applier/sqlite/sqlite_checkpoint_store.h"
#include "applier/sqlite/sqlite_connection.h"
#include "applier/sqlite/sqlite_parked_rows.h"
#include "applier/sqlite/sqlite_table_plan.h"
#include "schemas/follower.h"

namespace rowferry {

/// Applies a stream to a SQLite file, on a connection of its own. Rows by prepared statements, the checkpoint as the last statement of the
/// same transaction.
///
/// A duplicate on insert or update: a SQLite leader's capture does not see what REPLACE removed, so the row in the way is gone on the
/// leader, and goes here. A PostgreSQL leader may only be between two rows of one statement, so the new row waits (see ParkedRows); one
/// that still collides when the leader's transaction ends is a conflict.
class SqliteSink : public Sink {
public:
    /// Verifies that every table of the checkpoint is there and fits. Throws HaltError, or RefusedError for user triggers.
    SqliteSink(const std::string& path, Checkpoint checkpoint, FollowerOptions options, const StopSignal& stop);
    ~SqliteSink() override;

    void apply(std::span<const Event> events) override;
    /// Of a page that many changes hit in one transaction only one version goes through the write-ahead log, and readers wait for nobody.
    [[nodiscard]] GroupLimits group_limits() const override { return {50'000, 64 * 1024 * 1024, std::chrono::milliseconds{1000}}; }
    void commit(const CheckpointAdvance& advance) override;
    void rollback() noexcept override;
    [[nodiscard]] std::uint64_t replaced_rows() const override { return replaced_; }

private:
    struct Table {
        std::unique_ptr<SqliteTablePlan> plan;
        std::string unfit;  // without a plan: why the follower's table cannot take rows of this shape
        std::uint64_t touched_by = 0;  // number of the last leader transaction that changed rows of it
        std::unique_ptr<ParkedRows> parked;  // made with the first row that has to wait
        [[nodiscard]] bool has_parked() const { return parked != nullptr && !parked->empty(); }
    };

    void open_group();
    void verify_tables();
    void verify_file();
    Table& table_for(const TableSchema& schema);
    ParkedRows& parked_of(Table& table);
    void step(const Event& event);
    void step(const Change& change);
    void step(const Truncate& truncate);
    void step(const ShapeChange& change);
    void check_all_fit() const;
    void write_parked(Table& table);
    void end_of_transaction();
    void insert(Table& table);
    void update(Table& table);
    void remove(Table& table);
    [[nodiscard]] std::string place(std::span<const Event> from_event) const;

    SqliteConnection connection_;
    FollowerOptions options_;
    SqliteCheckpointWriter checkpoint_;
    SqliteStatement schema_version_;
    std::int64_t verified_version_ = -1;
    std::map<TableName, Table> tables_;
    const TableSchema* last_schema_ = nullptr;  // within one apply(): a schema of another batch may have the same address
    Table* last_table_ = nullptr;
    Arena arena_;
    Position after_;
    int parked_tables_ = 0;
    std::uint64_t transactions_ = 0;  // leader transactions begun
    std::uint64_t replaced_ = 0;
};

}  // namespace rowferry
