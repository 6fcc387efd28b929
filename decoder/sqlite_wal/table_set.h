#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "decoder/sqlite_wal/commit_decoder.h"
#include "decoder/sqlite_wal/schema_reader.h"
#include "decoder/sqlite_wal/table_diff.h"

namespace rowferry {

/// A table of the leader at one commit. Immutable.
struct KnownTable {
    std::string name;
    std::uint32_t root = 0;
    std::string definition;  ///< Its schema rows, without the pages: equal definitions are equal shapes, but for what they say of other tables.
    SqliteTable table;
    std::shared_ptr<const RowLayout> layout;  ///< Null where nothing of the table is carried.
    CarriedTable use;
};
using KnownTablePtr = std::shared_ptr<const KnownTable>;

/// One table before and behind a commit. Between two commits with a change of the schema both are the same.
struct TableSlot {
    KnownTablePtr before;
    KnownTablePtr after;
    TableShapes shapes;

    /// 0 where the stream carries nothing of it.
    [[nodiscard]] std::uint32_t before_root() const noexcept { return before && before->use.carried ? before->root : 0; }
    [[nodiscard]] std::uint32_t after_root() const noexcept { return after && after->use.carried ? after->root : 0; }
    [[nodiscard]] bool is_dropped() const noexcept { return before && !after && before->use.carried; }
    [[nodiscard]] bool is_announced() const noexcept { return before != after && before && after && before->use.carried && after->use.carried && after->use.announce; }
};

/// The tables of the leader from commit to commit. A table is the same one as before if it has the same name, else if its rows begin on the same page
/// and no other table has its name; VACUUM and ALTER TABLE keep one of the two.
class TableSet {
public:
    explicit TableSet(TableChooser& chooser) : chooser_{chooser} {}

    void start(const Database& database);
    /// Reads the schema behind a commit. False when it says nothing new of tables. The chooser is asked about every table that changed.
    [[nodiscard]] bool change(const Database& before, const Database& after);
    /// The commit has ended: what is behind it is what was before the next one.
    void settle();

    [[nodiscard]] const std::vector<TableSlot>& slots() const noexcept { return slots_; }

private:
    [[nodiscard]] KnownTablePtr known(SchemaReader& reader, const std::string& name, TextEncoding encoding, const KnownTable* before);
    [[nodiscard]] KnownTablePtr predecessor(const std::string& name, std::uint32_t root, const std::vector<std::string>& names) const;

    TableChooser& chooser_;
    std::vector<SchemaRow> rows_;
    std::vector<std::string> unreadable_;
    std::vector<TableSlot> slots_;
};

}  // namespace rowferry
