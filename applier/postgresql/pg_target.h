#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "applier/postgresql/pg_query.h"
#include "schemas/conversion.h"
#include "schemas/table_schema.h"

namespace rowferry {

/// A column of a table that exists on the follower.
struct PgTargetColumn {
    std::string name;
    std::string type;       ///< format_type().
    std::string base_type;  ///< The same below all domains.
    std::uint32_t oid = 0;  ///< atttypid.
    /// The type's equality as SQL spells it: a type of an extension has its own, which our search path does not show.
    std::string equals = "=";
    bool not_null = false;
    bool has_default = false;
    bool generated = false;        ///< GENERATED ALWAYS AS (…) STORED: never written.
    bool identity = false;         ///< GENERATED … AS IDENTITY.
    bool identity_always = false;  ///< Cannot be SET.
    bool in_primary_key = false;
    bool not_null_domain = false;       ///< A domain of its type is NOT NULL.
    bool checked_domain = false;        ///< A domain of its type has a CHECK.
    std::vector<std::string> labels = {};  ///< Of an enum below all domains; empty otherwise.
    /// base_type without its modifier, as a cast from text names it so that the type's input function does the work; empty where PostgreSQL
    /// has another way from text to this type.
    std::string cast_type = {};

    /// What resolve_conversion() decides by.
    [[nodiscard]] const std::string& values_type() const { return conversion_target(type, base_type); }
};

/// A foreign key from or to the table.
struct PgTargetForeignKey {
    std::string name;
    TableName child;
    TableName parent;
    bool deferrable = false;
    bool acts = false;  ///< Has an action other than NO ACTION.
};

/// What may refuse a row that the leader's table accepts.
struct PgTargetConstraint {
    std::string name;
    std::string check;                 ///< A CHECK's expression as pg_get_expr() writes it; empty otherwise.
    bool exclusion = false;
    std::vector<std::string> columns;  ///< Of a unique index, sorted; empty where it has expressions or a predicate.
};

/// A tree of partitions, as the follower has it.
struct PgPartitionTree {
    TableName root;
    std::set<TableName> partitioned;  ///< The root and partitioned tables below it.
    std::set<TableName> leaves;
};

struct PgTarget {
    TableName name;
    bool plain = false;  ///< An ordinary or a partitioned table.
    bool partitioned = false;
    bool writable = false;  ///< The role may select, insert, update, delete and truncate.
    std::vector<PgTargetColumn> columns;
    std::vector<std::vector<std::string>> unique_keys;  ///< Columns of every unique index that is valid, immediate, complete, and plain.
    std::vector<std::string> triggers;                  ///< Enabled user triggers that fire for an ordinary session.
    std::vector<PgTargetForeignKey> foreign_keys;
    std::vector<PgTargetConstraint> constraints;        ///< CHECKs, unique indexes, exclusion constraints.
    std::vector<std::string> replica_triggers;          ///< Enabled user triggers that fire for replicated rows too.
    std::vector<std::string> rules;                     ///< Enabled rules that fire for an ordinary session.
    std::vector<std::string> replica_rules;             ///< Those that fire for replicated rows too.
    bool row_security = false;                          ///< Policies apply to this role.
    std::string bound;                                  ///< Of a partition; empty otherwise.
    std::shared_ptr<const PgPartitionTree> tree;        ///< That it is a partition of; null otherwise.

    [[nodiscard]] const PgTargetColumn* column(const std::string& name) const;
    [[nodiscard]] bool has_unique_key(std::vector<std::string> columns) const;
};

/// Those of `names` that exist, whatever relation they are.
[[nodiscard]] std::map<TableName, PgTarget> read_targets(const PgRun& run, const std::vector<TableName>& names);

/// Trees of partitions that lie in `targets` with every leaf.
[[nodiscard]] std::vector<const PgPartitionTree*> whole_trees(const std::vector<const PgTarget*>& targets);

/// What stands behind TRUNCATE to empty these tables and no others. A tree that is emptied whole goes by its root: a foreign key of the root
/// does not let its parent table be emptied together with the leaves alone.
[[nodiscard]] std::string truncate_list(const std::vector<const PgTarget*>& targets);

/// Does the table hold a row? Needs the right to select.
[[nodiscard]] bool target_has_rows(const PgRun& run, const PgTarget& table);

}  // namespace rowferry
