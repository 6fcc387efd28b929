#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/page_view.h"
#include "decoder/sqlite_wal/row_pairs.h"
#include "schemas/batch.h"

namespace rowferry {

/// A table's filter. `row` is the whole row, as wide as the leader's table. One thread.
class RowTest {
public:
    virtual ~RowTest() = default;
    [[nodiscard]] virtual bool passes(std::span<const Cell> row) = 0;
};

/// What the stream carries of a table of the leader.
struct CarriedTable {
    TablePtr carried;               ///< What the changes are made of. Null: nothing; the table's pages are not looked at.
    ColumnIndexes columns;          ///< Of the leader's whole table, one for each column of `carried`.
    std::shared_ptr<RowTest> test;  ///< Null: all rows. An update that crosses it becomes an insert or a remove.
    /// Set in the answer to a change: the stream tells of it with a ShapeChange from the old `carried` to the new one, with these in it.
    bool announce = false;
    TablePtr leader_after;
    std::string obstacle;
};

/// Whoever decides what the stream carries. Called from the decoder's constructor and from begin(), in the decoder's thread; may throw.
class TableChooser {
public:
    virtual ~TableChooser() = default;
    /// A table that is there from now on: at the start, or when a commit made it. A table that a later commit makes and that is carried comes with all of
    /// its rows as inserts. `table.schema` is as the trigger capture reads it: leader_id 0, profiles empty.
    [[nodiscard]] virtual CarriedTable appeared(const SqliteTable& table) = 0;
    /// A table's definition, name, indexes included, is another one behind this commit. `was` is the answer that held until now.
    [[nodiscard]] virtual CarriedTable changed(const CarriedTable& was, const SqliteTable& before, const SqliteTable& now) = 0;
    /// It is gone behind this commit. The decoder announces it (ShapeChange without `after`) when it was carried.
    virtual void dropped(const CarriedTable& was, const SqliteTable& table) = 0;
    /// A table that our SQLite cannot parse, with its message. Not carried; throw to stop the stream here.
    virtual void unreadable(const std::string& name, const std::string& why) = 0;
};

/// Turns the pages that a commit changed into its exact net row changes: a diff of the b-trees before and behind it. Pure: sees bytes through PageView
/// only. Holds from commit to commit which page belongs to which tree, and whose cell an overflow page continues (4 bytes and a bit per page of
/// the database), and the shapes of the tables. One thread. Errors: DecodeError for pages that are not what the file format says, with the
/// page's number; ValueError for text that has no exact form in UTF-8; what the views and the chooser throw. After an error: destruction only.
///
/// What comes out: first a ShapeChange for every carried table that was dropped, without its rows. Then table by table, by name: removes in the old
/// shape, the ShapeChange if there is one, updates, inserts. So with every unique key of the leader checked at each row no change meets a row that is
/// in its way: what a row displaced is gone before it comes. Two or more updates of one table that change columns of a unique key (or any update, where
/// a unique index is partial or over an expression) could meet each other: then each of them comes as a remove and an insert. One alone stays an update.
/// All images are full. Rows of tables without INTEGER PRIMARY KEY have no identity but their values: a row that only changed its rowid (VACUUM) is no
/// change, and a row that went and came again neither. Other rows are paired by rowid, those of WITHOUT ROWID tables by their primary key.
/// An update across a ShapeChange has as its image before what the shape change itself made of the row: added columns have their default.
class CommitDecoder {
public:
    /// Reads the schema and all carried tables of `view`, every page of them.
    CommitDecoder(const PageView& view, TableChooser& chooser, const DecodeLimits& limits = {});
    ~CommitDecoder();
    CommitDecoder(const CommitDecoder&) = delete;
    CommitDecoder& operator=(const CommitDecoder&) = delete;

    /// Begins a commit. `before` is the database that the decoder stands at, `after` the one behind the commit; `changed` are the numbers of all pages
    /// that may differ, ascending (more of them do no harm, and those beyond the end of `after` need not be there). Views and numbers must live until
    /// the commit has ended. For a gap: a shadow before, the live database after, and what differs.
    void begin(const PageView& before, const PageView& after, std::span<const std::uint32_t> changed);

    /// Appends Change and ShapeChange events to the batch until its size reaches `budget` bytes (one row may go beyond). True when the commit has ended:
    /// the decoder then stands behind it. Begin and Commit are the caller's.
    [[nodiscard]] bool fill(Batch& batch, std::size_t budget);

    /// Every table that is carried now.
    [[nodiscard]] std::vector<TablePtr> tables() const;

private:
    class Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace rowferry
