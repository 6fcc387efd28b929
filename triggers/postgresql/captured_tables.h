#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pgoutput/pg_catalog.h"
#include "schemas/batch.h"
#include "schemas/checkpoint.h"
#include "schemas/leader.h"
#include "triggers/postgresql/capture_store.h"
#include "triggers/postgresql/log_entry.h"
#include "triggers/postgresql/row_text.h"

namespace rowferry::pg_capture {

/// The tables of a stream at the place of the log that has been read: how the rows of the log are decoded, and what became of the tables meanwhile. Shapes begin with
/// those of the checkpoint. A row of the log has as many fields as the table had columns then, so columns that were added behind the others show by themselves; every
/// other change of shape, and every gap in the capture, is a HaltError of look(). One thread.
class CapturedTables {
public:
    CapturedTables(const Checkpoint& checkpoint, const StreamRequest& request);

    /// Compares with the catalog as `session` sees it. Throws HaltError.
    void look(PgSession& session);
    /// Everything that look() looks at, in one query that gives one text: as long as it stays, nothing changed.
    [[nodiscard]] std::string fingerprint_query() const;
    /// Tables that the patterns select and that the stream does not know; tells each once.
    void look_for_new(PgSession& session);
    [[nodiscard]] std::vector<TableName> take_new_tables() { return std::exchange(new_, {}); }

    /// Under which the log names them.
    [[nodiscard]] std::vector<std::uint32_t> oids() const;
    /// Does any of them log row by row?
    [[nodiscard]] bool any_row_level() const noexcept { return any_row_level_; }

    /// The changes of an entry, as events. `tick`: where its batch ends. Adds the change of shape in front that it shows. False when they are none of the stream's business, or were
    /// copied with the table.
    bool decode(const LogEntry& entry, std::uint64_t tick, Batch& batch);
    /// The table that an entry empties; null as decode() is false.
    [[nodiscard]] const TablePtr* truncated(const LogEntry& entry, std::uint64_t tick) const;

    /// What identifies a row of an entry's table; empty for a table without a key.
    [[nodiscard]] std::string key_of(const LogEntry& entry, std::string_view row, Arena& arena) const;

    /// Where the log has been read to: for messages.
    void at(std::uint64_t tick) { tick_ = tick; }

private:
    struct Known {
        TablePtr shape;
        std::uint64_t included_to = 0;
        std::uint32_t file_node = 0;      ///< Of the same rows as `shape`.
        std::optional<TableSchema> next = {};  ///< The catalog's, when it has more columns.
    };
    /// How its rows stand in the log.
    struct Logged {
        std::vector<std::int32_t> attributes;  ///< Numbers of its columns now, generated ones too.
        FieldMap map;                         ///< For rows of map.size() fields into cells of the table's shape.
        FieldMap identity_map;                ///< The same for the identity's columns only.
    };

    void look_at_triggers(PgSession& session);
    void look_at_partitions(PgSession& session);
    void look_at_columns(PgSession& session);
    void look_at_shapes(PgSession& session);
    [[nodiscard]] static std::string obstacle(const Known& known, TableSchema now);
    void use_fields(Logged& logged, Known& known, std::size_t fields, Batch& batch);
    void add_update(Logged& logged, const Known& known, const TableSchema* table, std::string_view before, std::string_view after, Batch& batch);
    [[nodiscard]] const Known* known_of(std::uint32_t rel, std::uint64_t tick) const;
    [[nodiscard]] bool passes_over(const TableName& name) const;
    [[nodiscard]] std::string where(const TableSchema& table) const;
    [[noreturn]] void halt(const TableSchema& table, const std::string& why) const;

    std::string stream_;
    TableSelection selection_;
    TableRules rules_;
    KeylessMode keyless_;
    bool rows_before_;
    std::vector<TableName> passed_over_;
    std::map<std::uint32_t, Known> tables_;
    std::unordered_map<std::uint32_t, Logged> logged_;
    std::set<TableName> told_new_;
    std::vector<TableName> new_;
    std::uint64_t tick_;
    bool any_row_level_ = false;
    std::set<std::uint32_t> told_triggers_;
};

/// What identifies the rows of tables that a stream captures by triggers: the replica identity, else any key, else the whole row (`insert`: inserts only). Old rows are logged whole, so the
/// leader needs no replica identity.
void settle_identity(std::vector<PgTable>& tables, KeylessMode keyless);

}  // namespace rowferry::pg_capture
