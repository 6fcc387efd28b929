#pragma once

#include <cstdint>
#include <map>
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
    bool not_null = false;
    bool has_default = false;
    bool generated = false;        ///< GENERATED ALWAYS AS (…) STORED: never written.
    bool identity = false;         ///< GENERATED … AS IDENTITY.
    bool identity_always = false;  ///< Cannot be SET.

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

struct PgTarget {
    TableName name;
    bool plain = false;  ///< An ordinary or a partitioned table.
    bool partitioned = false;
    bool writable = false;  ///< The role may select, insert, update, delete and truncate.
    std::vector<PgTargetColumn> columns;
    std::vector<std::vector<std::string>> unique_keys;  ///< Columns of every unique index that is valid, immediate, complete, and plain.
    std::vector<std::string> triggers;                  ///< Enabled user triggers that fire for an ordinary session.
    std::vector<PgTargetForeignKey> foreign_keys;

    [[nodiscard]] const PgTargetColumn* column(const std::string& name) const;
    [[nodiscard]] bool has_unique_key(std::vector<std::string> columns) const;
};

/// Those of `names` that exist, whatever relation they are.
[[nodiscard]] std::map<TableName, PgTarget> read_targets(const PgRun& run, const std::vector<TableName>& names);

/// Does the table hold a row? Needs the right to select.
[[nodiscard]] bool target_has_rows(const PgRun& run, const PgTarget& table);

}  // namespace rowferry
