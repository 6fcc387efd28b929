#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// What a PostgreSQL follower has already, as far as it matters for making tables there. As it is made: an empty database.
struct PgFollowerFacts {
    std::set<std::string> schemas{"public"};
    std::set<TableName> relations;          ///< Tables, indexes, views, sequences: what cannot be made under that name again.
    std::set<TableName> partitioned;        ///< Those of them that are partitioned tables.
    std::map<TableName, UserType> types;    ///< User-defined types.
    std::set<std::string> extensions;       ///< Installed ones.
    /// Extensions that could be installed, and why this role may not, or an empty text. Nothing: all of them can.
    std::optional<std::map<std::string, std::string>> available_extensions;
    std::optional<std::set<std::string>> collations;  ///< As DDL names them. Nothing: all are there.
    std::set<TableName> quarantining;       ///< Tables of the stream whose rows may be in quarantine instead.
    bool replica_role = true;               ///< May we set session_replication_role, and so keep foreign keys out of the stream's way?
};

/// What has to be made on a PostgreSQL follower for tables that it does not have. Pure data: pg_before_copy() and pg_after_copy() turn it into
/// statements, which the table maker runs and `rowferry schema` prints.
struct PgMakePlan {
    struct Table {
        TablePtr leader;
        TableName name;
        std::vector<std::string> types;  ///< One per column; names of types of this follower.
        bool attached = false;           ///< Becomes a partition of the last of its ancestors.
    };
    std::vector<std::string> schemas;
    std::vector<UserType> types;         ///< In the order they have to be made.
    std::vector<TableName> extensions;   ///< With the schemas they go to. For indexes only; those of types come with them.
    std::vector<Table> parents;          ///< Partitioned tables above the others, root first. No rows go to them directly.
    std::vector<Table> tables;
    std::vector<std::string> notes;      ///< What is not an identity mapping, one line each.
    PgFollowerFacts facts;

    [[nodiscard]] const Table* find(const TableName& name) const;  ///< Among tables and parents, by the follower's name.
    [[nodiscard]] bool will_exist(const TableName& name) const { return find(name) != nullptr || facts.relations.contains(name); }
};

/// Where the mapping of a SQLite leader's column asks for a domain of rowferry's own: that. It stays when the stream is dropped, as the tables
/// that use it do.
[[nodiscard]] std::optional<UserType> own_domain(std::string_view type);

/// Throws RefusedError for a name that is too long, a type that cannot be had or differs, an extension that is not there, two tables that would
/// be one.
[[nodiscard]] PgMakePlan plan_pg_tables(const std::vector<TablePtr>& tables, PgFollowerFacts facts);

/// One step of a follower's DDL.
struct PgDdlStep {
    std::string sql;
    std::string what = {};           ///< `public.t: the index i`; empty: a refusal of `sql` is fatal. Otherwise it is left out, with a warning.
    std::string otherwise = {};      ///< Tried where `sql` was refused and `what` is set.
    std::string otherwise_note = {}; ///< How it differs: `is made NOT VALID`.
};

/// When the primary keys of new tables are made.
enum class PgKeys : std::uint8_t {
    at_once,
    after_rows,  ///< Where a copy fills a table that stands alone: one sort is cheaper than an index that grows row by row.
};

/// Schemas, extensions, types, tables, partitions, inheritance, in order. Nothing of it needs rows.
[[nodiscard]] std::vector<PgDdlStep> pg_before_copy(const PgMakePlan& plan, PgKeys keys = PgKeys::at_once);

/// What neither of them makes, as something it needs is not on the follower: one line each.
[[nodiscard]] std::vector<std::string> pg_left_out(const PgMakePlan& plan);

/// Primary keys that were left for now, indexes, checks, comments, foreign keys. `plan.facts.relations` has to be of now, so that index names can
/// be chosen.
[[nodiscard]] std::vector<PgDdlStep> pg_after_copy(const PgMakePlan& plan, PgKeys keys = PgKeys::at_once);

}  // namespace rowferry
