#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schemas/identity.h"
#include "schemas/table_name.h"
#include "schemas/user_type.h"

namespace rowferry {

/// What the values of a column mean, whatever the engine calls the type. Resolved once when the schema is read:
/// on PostgreSQL from the (base) type, on SQLite from the declared type and, where it matters, the profile.
enum class ValueClass : std::uint8_t {
    integer,      ///< PostgreSQL int2 int4 int8 oid.
    boolean,
    real,         ///< float4, float8.
    numeric,
    text,         ///< text, varchar, name, xml, bpchar.
    bytes,        ///< bytea, BLOB.
    date,
    time,
    timestamp,
    timestamptz,
    uuid,
    json,         ///< json, jsonb.
    other,        ///< Any other PostgreSQL type: carried in its text form.
    any,          ///< SQLite only: a column without a type, or whose values are of several storage classes.
};

/// What a SQLite leader's column holds when the snapshot begins: which storage classes and shapes occur.
/// Collected in the snapshot's own read transaction with the functions of schemas/value_shapes.h. On PostgreSQL leaders it stays empty.
struct ColumnProfile {
    bool integers = false;
    bool reals = false;
    bool texts = false;
    bool blobs = false;
    bool only_zero_or_one = true;      ///< All integers seen are 0 or 1.
    bool only_dates = true;            ///< All texts seen are is_date().
    bool only_times = true;            ///< All texts seen are is_time().
    bool only_timestamps = true;       ///< All texts seen are is_timestamp().
    bool only_zoned_timestamps = true; ///< All texts seen are is_zoned_timestamp().
    bool only_uuids = true;            ///< All texts seen are is_uuid().
    bool only_json = true;             ///< All texts seen are is_json().
    bool only_numbers = true;          ///< All texts seen are is_number().
    bool only_nan = true;              ///< All texts seen are 'NaN', as SQLite has no such number.
    bool bad_texts = false;            ///< Some text is nothing that PostgreSQL can hold: find_bad_text().
    bool only_floats = true;           ///< All reals seen are single precision floats.
    std::int64_t least_integer = 0;    ///< With `integers`: the limits of those seen.
    std::int64_t most_integer = 0;
    std::uint64_t shortest_text = 0;   ///< With `texts`: characters of the shortest and the longest.
    std::uint64_t longest_text = 0;
    friend bool operator==(const ColumnProfile&, const ColumnProfile&) = default;
};

/// Reads as one line in DDL: how the database gives a column its next value.
enum class AutoNumber : std::uint8_t {
    none,
    by_default,  ///< PostgreSQL identity BY DEFAULT or serial; SQLite INTEGER PRIMARY KEY (with or without AUTOINCREMENT).
    always,      ///< PostgreSQL GENERATED ALWAYS AS IDENTITY.
};

/// How numbers or texts of a SQLite column stand for points in time, where the user says so.
enum class TimeEncoding : std::uint8_t { none, epoch_s, epoch_ms, epoch_us, julian_day };

/// What happens to a SQLite leader's value that its follower column cannot hold.
enum class OnMismatch : std::uint8_t {
    stop,        ///< The stream stops there.
    quarantine,  ///< The row goes to a side table of the follower until an image of it fits.
    null_value,  ///< NULL in its place, counted.
};

/// How a PostgreSQL sequence counts.
struct Numbering {
    std::int64_t start = 1;
    std::int64_t increment = 1;
    std::int64_t minimum = 1;
    std::int64_t maximum = 0;
    bool cycle = false;
    friend bool operator==(const Numbering&, const Numbering&) = default;
};

struct ColumnSchema {
    std::string name;                 ///< On the follower, when the stream renames it (see leader_name).
    std::string type;                 ///< PostgreSQL: format_type() of the column. SQLite: the declared type, may be empty.
    std::uint32_t type_oid = 0;       ///< PostgreSQL: atttypid. SQLite: 0.
    std::int32_t type_modifier = -1;  ///< PostgreSQL: atttypmod.
    ValueClass value_class = ValueClass::other;
    bool not_null = false;
    bool autoincrement = false;       ///< SQLite AUTOINCREMENT.
    AutoNumber auto_number = AutoNumber::none;
    std::string collation;            ///< SQLite: BINARY, NOCASE, RTRIM, or another. PostgreSQL: empty.
    std::string base_type;            ///< PostgreSQL: format_type() below all domains; equals `type` otherwise.
    std::vector<std::string> enum_labels;  ///< PostgreSQL enums: labels in order; empty otherwise.
    ColumnProfile profile;
    std::uint16_t attribute = 0;      ///< PostgreSQL: attnum, which tells a column dropped and added again from one that stayed. SQLite: its place, from 1, which
                                      ///< RENAME COLUMN keeps. 0 in shapes that know no better.
    std::string default_expression;   ///< In the leader's dialect, as its catalog shows it; empty without one.
    std::optional<std::string> missing_value;  ///< PostgreSQL: what rows older than the column have in it (attmissingval), in text form.
    std::string comment;
    std::string pg_collation;         ///< PostgreSQL: as DDL names it, `pg_catalog."C"`; empty where it is the type's own.
    std::optional<Numbering> numbering;  ///< PostgreSQL, only with auto_number.
    // What the stream's rules ask for (schemas/table_rules.h); never from the leader.
    std::string leader_name;          ///< Empty where `name` is the leader's too.
    std::string wanted_type;          ///< Type of the follower's column; empty: chosen by map_column().
    TimeEncoding encoding = TimeEncoding::none;
    OnMismatch on_mismatch = OnMismatch::stop;
    friend bool operator==(const ColumnSchema&, const ColumnSchema&) = default;
};

/// A generated column. The stream does not carry it; a follower may compute it itself.
struct GeneratedColumn {
    std::string name;
    std::string type;
    std::string expression;  ///< In the leader's dialect.
    bool stored = true;      ///< SQLite: STORED or VIRTUAL.
    bool not_null = false;
    std::uint16_t before = 0;  ///< Stands in front of this index of TableSchema::columns.
    std::string collation = {};   ///< As in ColumnSchema::pg_collation.
    std::string comment = {};
    friend bool operator==(const GeneratedColumn&, const GeneratedColumn&) = default;
};

using ColumnIndexes = std::vector<std::uint16_t>;  ///< Indexes into TableSchema::columns.

struct UniqueKey {
    std::string name;
    ColumnIndexes columns;
    friend bool operator==(const UniqueKey&, const UniqueKey&) = default;
};

/// A plain index over columns (no expression, no predicate); the others are ExpressionIndex.
struct IndexSchema {
    std::string name;
    bool unique = false;
    bool constraint = false;            ///< Backs a UNIQUE constraint of the table.
    ColumnIndexes columns;
    std::vector<bool> descending;       ///< One per column.
    std::vector<std::string> collations;  ///< SQLite: one per column.
    bool deferrable = false;            ///< PostgreSQL, only with `constraint`.
    bool initially_deferred = false;
    /// PostgreSQL: set where there is more to it than the members say (INCLUDE, NULLS NOT DISTINCT, operator class, storage …). As in ExpressionIndex.
    std::string definition = {};
    std::vector<std::string> extensions = {};  ///< PostgreSQL: what it needs on the follower.
    friend bool operator==(const IndexSchema&, const IndexSchema&) = default;
};

/// An index with a predicate, over expressions or generated columns, of a method other than btree, or of an exclusion constraint. No identity,
/// no conflict target: only carried where it translates. A unique one is checked at each row, so rows may not overtake each other.
struct ExpressionIndex {
    struct Key {
        std::string expression;  ///< In the leader's dialect; a plain column is its quoted name.
        bool descending = false;
        std::string collation;   ///< SQLite; empty: that of the expression.
        friend bool operator==(const Key&, const Key&) = default;
    };
    std::string name;
    bool unique = false;
    std::vector<Key> keys;
    std::string predicate;       ///< Empty without one.
    std::string method = {};     ///< PostgreSQL: btree, gin …; empty on SQLite.
    /// PostgreSQL: what stands behind `CREATE INDEX … ON t USING`, or behind `ADD CONSTRAINT name` where the index is a constraint's.
    std::string definition = {};
    bool constraint = false;
    std::vector<std::string> extensions = {};  ///< PostgreSQL: what it needs on the follower.
    friend bool operator==(const ExpressionIndex&, const ExpressionIndex&) = default;
};

struct ForeignKey {
    std::string name;                  ///< Empty on SQLite.
    ColumnIndexes columns;
    TableName parent;
    std::vector<std::string> parent_columns;  ///< Empty: the parent's primary key.
    std::string on_update = "NO ACTION";      ///< NO ACTION, RESTRICT, CASCADE, SET NULL, SET DEFAULT.
    std::string on_delete = "NO ACTION";
    bool deferrable = false;
    bool initially_deferred = false;
    std::optional<TableName> parent_renamed_to = {};  ///< As TableSchema::renamed_to of the parent.
    friend bool operator==(const ForeignKey&, const ForeignKey&) = default;
};

/// The shape of one leader table at one position. Immutable once shared; streams and appliers hold it by shared_ptr.
struct TableSchema {
    Engine engine = Engine::postgresql;
    TableName name;
    std::uint32_t leader_id = 0;         ///< PostgreSQL: pg_class.oid. SQLite: table number in the change table, 0 before capture.
    std::uint32_t file_node = 0;         ///< PostgreSQL: pg_class.relfilenode, another one after every rewrite. SQLite: 0.
    std::vector<ColumnSchema> columns;   ///< The columns the stream carries, in the leader's order. Generated ones are not here.
    ColumnIndexes primary_key;           ///< In key order; empty without one.
    std::string primary_key_name;        ///< PostgreSQL.
    bool primary_key_deferrable = false;  ///< PostgreSQL. Such a key cannot be the replica identity.
    bool primary_key_initially_deferred = false;
    /// Columns that identify a row in updates and deletes, in column order. Empty: the whole row does (keyless).
    ColumnIndexes identity;
    std::vector<UniqueKey> unique_keys;  ///< Every unique key whose conflicts matter, primary key included.
    std::vector<IndexSchema> indexes;
    std::vector<ForeignKey> foreign_keys;
    std::vector<std::string> not_carried;  ///< One line each, what the follower will not get, for the log.
    bool insert_only = false;            ///< Published for inserts only (`--keyless insert`).
    bool without_rowid = false;          ///< SQLite.
    bool strict = false;                 ///< SQLite.
    std::vector<GeneratedColumn> generated;
    std::vector<CheckConstraint> checks;
    std::vector<ExpressionIndex> expression_indexes;
    std::string comment;
    std::vector<UserType> types;         ///< PostgreSQL: every user-defined type the columns need, each behind those it needs itself.
    std::string partition_key;           ///< PostgreSQL: what stands behind PARTITION BY; empty: not partitioned.
    std::string partition_bound;         ///< PostgreSQL: `FOR VALUES …` or `DEFAULT` of a partition; empty otherwise.
    std::vector<TableName> parents;      ///< PostgreSQL: what it inherits from, in order, or the table it is a partition of.
    std::vector<TableSchema> ancestors;  ///< PostgreSQL: the partitioned tables above a partition, root first. They hold no rows themselves.
    TableName partition_root;            ///< PostgreSQL: the topmost partitioned table, for a partition; else empty.
    std::optional<TableName> renamed_to;  ///< The follower's name for it, by the stream's rules.

    [[nodiscard]] std::optional<std::uint16_t> column_index(const std::string& column) const;
    [[nodiscard]] bool in_identity(std::uint16_t column) const;
    friend bool operator==(const TableSchema&, const TableSchema&) = default;
};

using TablePtr = std::shared_ptr<const TableSchema>;

/// The shape in a form that a checkpoint keeps and reads again: JSON, one line.
[[nodiscard]] std::string to_json(const TableSchema& table);
/// Throws HaltError: the text comes from a checkpoint.
[[nodiscard]] TableSchema table_from_json(const std::string& json);

/// Do rows of both have the same columns, by names and types?
[[nodiscard]] bool same_columns(const TableSchema& left, const TableSchema& right);

/// `id integer, name text`: for messages about two shapes that differ.
[[nodiscard]] std::string describe_columns(const TableSchema& table);

}  // namespace rowferry
