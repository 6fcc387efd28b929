#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "applier/postgresql/net_changes.h"
#include "applier/postgresql/pg_advance.h"
#include "applier/postgresql/pg_copy_stream.h"
#include "applier/postgresql/pg_group_writer.h"
#include "applier/postgresql/pg_pipeline.h"
#include "applier/postgresql/pg_quarantine.h"
#include "applier/postgresql/pg_query.h"
#include "applier/postgresql/pg_shared_link.h"
#include "applier/postgresql/pg_table_plan.h"
#include "schemas/checkpoint.h"
#include "schemas/follower.h"
#include "schemas/sink.h"

namespace rowferry {

/// A replicated table as the sink found it.
struct PgSinkTable {
    TableSchema leader;  ///< As the checkpoint knows it.
    PgTarget follower;
    Position included_to;
    /// Why the follower's table cannot take rows of this shape; empty when it can. A change of the leader's shape that is to come may explain it:
    /// somebody has changed the follower already.
    std::string unfit;
};

/// How a sink meets changes of the leader's shapes.
struct PgShapePolicy {
    DdlMode mode = DdlMode::stop;
    PgRun control;  ///< A session of its own, in autocommit. Outlives the sink.
};

/// Applies changes over one link, the one that holds the stream's lock. Where the meaning stays, many changes of one call are merged key by
/// key and written by arrays and COPY (pg_sink_group.cpp). Else, and whenever that fails, changes travel in order, in a pipeline of
/// prepared statements; long runs of inserts into one table leave the pipeline and go by COPY. Every result leads back to its change.
/// apply() returns with everything answered, as the batch may go away then.
class PgSink : public Sink {
public:
    /// `defer`: no right to set session_replication_role, so constraints are deferred in every transaction. With that right deferrable
    /// constraints are not checked at all (their checks are triggers); what the leader's constraints allowed arrives either way.
    /// Rows of rowferry.quarantine that fit by now are brought back at once.
    PgSink(std::shared_ptr<PgSharedLink> shared, const Checkpoint& checkpoint, std::vector<PgSinkTable> tables, bool defer,
           PgShapePolicy policy);
    ~PgSink() override;

    void apply(std::span<const Event> events) override;
    void commit(const CheckpointAdvance& advance) override;
    /// Small groups travel in one piece: begin, changes, checkpoint and commit wait for the follower once.
    void apply_and_commit(std::span<const Event> events, const CheckpointAdvance& advance) override;
    [[nodiscard]] std::optional<Position> durable() override;
    void rollback() noexcept override;
    [[nodiscard]] std::uint64_t replaced_rows() const override { return replaced_ + quarantine_.replaced_rows(); }

    /// For tests: every change on its own, or in groups where that is allowed (the default); how many groups were written and refused.
    void allow_groups(bool allowed) { grouping_allowed_ = allowed; }
    [[nodiscard]] std::uint64_t groups_written() const noexcept { return groups_written_; }
    [[nodiscard]] std::uint64_t groups_refused() const noexcept { return groups_refused_; }

private:
    struct Table {
        PgSinkTable source;
        std::unique_ptr<PgTablePlan> plan;
        std::vector<std::unique_ptr<PgTablePlan>> retired;  // results of the pipeline may still refer to them
        std::uint32_t copy_pause = 0;                       // inserts to go one by one after a COPY met a conflict
        std::uint32_t next_pause = 0;
        PgQuarantinedKeys quarantined;
        std::uint64_t touched_by = 0;                       // number of the last leader transaction that changed rows of it
        NetChanges net;                                     // of the group that is being collected
        std::uint64_t group_number = 0;                     // of the group that the next three speak of
        std::uint32_t inserts = 0;
        std::uint32_t others = 0;
        bool grouped = false;
        std::uint32_t group_pause = 0;                      // changes to go in order after a group was refused
        std::uint32_t next_group_pause = 0;
    };

    static constexpr const char* kBegin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    void open_transaction();
    void send_begin();
    void look_at_durability();
    void keep_log_place(const PGresult* result);
    void start_events(std::span<const Event> events);
    void apply_in_order(std::uint32_t first, std::uint32_t end);
    void begin_leader_transaction(const Begin& begin);
    bool apply_group(std::uint32_t first, std::uint32_t end);
    bool plan_group(std::uint32_t first, std::uint32_t end);
    void add_to_group(std::uint32_t event, const Change& row, Table& table);
    void write_group(Table& table);
    void write_groups();
    void copy_group(std::uint32_t first, std::uint32_t end, Table& table);
    std::string marks();
    void send_marks();
    void take_group_back(const PgTablePlan* refused, std::string_view why);
    Table* table_as_planned(const TableSchema* schema);
    static bool may_be_grouped(const Table& table);
    static bool writes_alike(const TableSchema& left, const TableSchema& right);
    void change(std::uint32_t event, const Change& change, Table& table);
    void send_counted(PgTablePlan& plan, const Change& change, PgStatement& statement, std::uint32_t event);
    void truncate(std::uint32_t event, const Truncate& truncate);
    void change_shape(std::uint32_t event, const ShapeChange& change);
    void check_all_fit() const;
    std::uint32_t insert_run(std::uint32_t first, const Change& change) const;
    std::uint32_t copy_run(std::uint32_t first, std::uint32_t end, Table& table);
    void quarantine(std::uint32_t event, const Change& change, Table& table);
    void load_quarantined(Table& table, const std::function<void(const Batch&)>& fits);
    void readmit();
    [[noreturn]] void fail_copy(const PgTablePlan& plan, const PgCopyStream::Failure& failure, std::uint32_t first,
                                std::uint32_t end) const;
    void on_result(const PgPipeline::Pending& pending, const PGresult* result);
    void check_in_group(const PgPipeline::Pending& pending, const PGresult* result, bool good) const;
    void use_shape(Table& table, TableSchema schema);
    Table& table_of(const TableSchema* table);
    bool already_in(const Table& table) const;
    const Change& change_at(std::uint32_t event) const { return std::get<Change>(events_[event]); }
    PgPlace place(std::uint32_t event) const;

    std::shared_ptr<PgSharedLink> shared_;
    PgLink& link_;  // of shared_, while that has it
    PgPipeline pipeline_;
    PgMismatchLog mismatches_;
    PgChangeSender sender_;
    PgQuarantine quarantine_;
    PgGroupWriter writer_;
    std::unique_ptr<PgCopyStream> copy_;
    PgStatement begin_;   // known to the server by name: a small group is worth its parsing
    PgStatement commit_;
    PgStatement advance_;
    std::string stream_;
    PositionKind kind_;
    Position position_;  // of the stored checkpoint
    std::uint64_t term_;
    bool defer_;
    PgShapePolicy policy_;
    std::uint64_t transactions_ = 0;  // leader transactions begun
    bool open_ = false;      // a follower transaction
    bool finish_later_ = false;  // commit() follows apply() at once
    bool counts_due_ = false;        // results are on their way whose number of rows decides
    /// A commit that a crash of the follower may take back until its log is flushed to `log_end`.
    struct Unflushed {
        Position position;
        std::uint64_t log_end = 0;
    };
    bool lazy_ = false;              // commits need not wait for the follower's disk
    std::string at_once_;            // synchronous_commit of those that do
    std::deque<Unflushed> unflushed_;
    Position durable_;
    std::uint64_t log_end_ = 0;      // of the follower, behind our last commit
    std::uint64_t log_flushed_ = 0;
    bool looked_ = false;            // since the last commit
    PgStatement log_place_;
    bool skipping_ = false;  // inside a leader transaction that the follower has
    Position after_;         // of the current leader transaction
    std::uint64_t replaced_ = 0;
    std::size_t plans_made_ = 0;
    std::map<TableName, Table> tables_;                     // by leader name
    std::unordered_map<const TableSchema*, Table*> known_;  // valid during one apply()
    const TableSchema* last_schema_ = nullptr;
    Table* last_table_ = nullptr;
    std::span<const Event> events_;
    bool grouping_allowed_ = true;
    bool grouping_ = false;         // between SAVEPOINT rowferry_group and the last result of what follows it
    bool begin_due_ = false;        // SQL that goes in front of the next statement, whichever way that takes
    bool savepoint_due_ = false;
    bool only_copies_ = false;      // the group is long runs of inserts
    bool release_due_ = false;
    std::vector<Table*> grouped_;   // tables of the group that is being collected
    std::uint64_t group_number_ = 0;
    std::uint64_t groups_written_ = 0;
    std::uint64_t groups_refused_ = 0;
    std::uint32_t run_end_ = 0;  // inserts before this event are known to be too few for COPY
};

}  // namespace rowferry
