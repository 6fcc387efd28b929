#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "decoder/pgoutput/ddl_message.h"
#include "decoder/pgoutput/messages.h"
#include "schemas/batch.h"
#include "schemas/checkpoint.h"
#include "schemas/selection.h"
#include "schemas/table_rules.h"

namespace rowferry {

/// The shapes of a stream's tables at the place of the log that has been read. They begin with those of the checkpoint and move by the
/// messages of the leader's event triggers, each of which becomes a ShapeChange at its place. What came without such a message is judged by the
/// catalog of now: only what the stream shows in full is carried on, everything else is a HaltError. One thread.
class PgShapes {
public:
    /// The present shape of a table by the catalog; nothing when it is gone.
    using Catalog = std::function<std::optional<TableSchema>(std::uint32_t oid)>;

    PgShapes(const Checkpoint& checkpoint, TableSelection selection, bool partition_roots);
    void read_catalog_with(Catalog catalog) { catalog_ = std::move(catalog); }
    /// What the stream carries of its tables.
    void use_rules(TableRules rules) { rules_ = std::move(rules); }
    /// The leader was asked for the binary form: a table with a type that has none that is portable throws TextNeededError at its first change.
    void expect_binary() { binary_ = true; }
    void cut_at(Position fence) { fence_ = fence.major; }
    /// Whether the leader has our event triggers now.
    void set_announced(bool announced) { announced_ = announced; }

    /// Another connection: the leader announces every relation again.
    void reconnected();
    /// A transaction whose commit record starts at `commit_start` begins.
    void begin(std::uint64_t commit_start);
    /// What pgoutput says of a relation. It is compared at the first change, as resent transactions and tables copied since come with older shapes.
    void announce(const pgoutput::Relation& relation);
    /// Would announce() leave everything as it is, for now and for the changes to come?
    [[nodiscard]] bool is_as_known(const pgoutput::Relation& relation) const;
    /// The table of a change; null when the change is in what was copied of the table, or is passed over. The pointer lives until the next report() or announce().
    const TablePtr* table(std::uint32_t relation, Batch& batch);
    /// Of a transaction that is not a resent one.
    void report(const pgoutput::DdlMessage& message, Batch& batch);
    /// In front of the transaction's end: a rewrite that nothing explained is an obstacle.
    void finish(Batch& batch);

    /// The catalog had `now` (nothing: no such table) at a moment when the log had come to `lsn`: the stream must have seen that shape by then.
    void expect(std::uint32_t oid, std::optional<TableSchema> now, std::uint64_t lsn);
    /// Throws HaltError when the stream is about to pass a place by which it should have seen a change.
    void check(std::uint64_t position);
    /// Something changed that the triggers could not tell: the catalog should be looked at soon.
    [[nodiscard]] bool take_unknown() { return std::exchange(unknown_, false); }

    [[nodiscard]] std::vector<std::uint32_t> oids() const;
    [[nodiscard]] const TableSchema* find(std::uint32_t oid) const;
    /// New tables that the stream's patterns select, each once.
    [[nodiscard]] std::vector<TableName> take_new_tables();
    void note_new_table(const TableName& name);
    /// See Checkpoint::passed_over.
    [[nodiscard]] bool passes_over(const TableName& name) const;

private:
    struct Known {
        TablePtr shape;
        std::uint64_t included_to = 0;
        std::uint32_t file_node = 0;  ///< Of the same rows as `shape`.
    };
    struct Column {
        bool identity = false;
        std::string name;
        std::uint32_t type_oid = 0;
        std::int32_t type_modifier = -1;
    };
    struct Announced {
        TableName name;
        bool full = false;
        std::vector<Column> columns;
        TablePtr bound;
        bool passed_over = false;
        std::uint64_t included_to = 0;
    };
    struct Ahead {
        std::uint64_t lsn = 0;
        std::optional<TableSchema> shape;
    };

    void bind(std::uint32_t oid, Announced& relation, Batch& batch);
    TableSchema follow_unannounced(std::uint32_t oid, const Announced& relation);
    void change(std::uint32_t oid, const TableSchema* after, const std::string& obstacle, Batch& batch);
    void report_table(const pgoutput::DdlTable& table, const pgoutput::DdlMessage& message, Batch& batch);
    [[nodiscard]] std::string unannounced_obstacle(const Known& known, TableSchema now) const;
    [[nodiscard]] std::string where(const TableSchema& table) const;
    [[noreturn]] void halt(const TableSchema& known, const std::string& now, const std::string& why) const;
    static Announced announced(const pgoutput::Relation& relation, std::uint64_t included_to);
    static bool same_shape(const Announced& relation, const TableSchema& table);
    static bool same_identity(const Announced& relation, const TableSchema& table);
    static std::string describe(const Announced& relation);

    std::string stream_;
    TableSelection selection_;
    TableRules rules_;
    bool partition_roots_;
    Catalog catalog_;
    std::vector<TableName> passed_over_;
    std::map<std::uint32_t, Known> tables_;
    std::unordered_map<std::uint32_t, Announced> relations_;  ///< On this connection.
    std::map<std::uint32_t, pgoutput::DdlMessage::Rewrite> rewrites_;  ///< In this transaction, of tables of ours.
    std::map<std::uint32_t, Ahead> ahead_;
    std::uint64_t commit_start_ = 0;
    std::uint64_t position_;
    std::optional<std::uint64_t> fence_;
    bool binary_ = false;
    bool announced_ = false;
    bool unknown_ = false;
    std::set<TableName> told_new_;
    std::vector<TableName> new_;
};

}  // namespace rowferry
