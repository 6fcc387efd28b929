#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry::pgoutput {

/// Prefix of the logical messages that the leader's event triggers write (pg_ddl_trigger.h).
inline constexpr std::string_view kDdlPrefix = "rowferry_ddl";

/// A column as the catalog had it right behind a statement.
struct DdlColumn {
    ColumnSchema schema;
    bool generated = false;
    bool has_default = false;  ///< `schema.default_expression` was looked at; else it is what it was.
};

/// A table as the catalog had it right behind a statement that touched it.
struct DdlTable {
    std::uint32_t oid = 0;
    TableName name;
    bool partition = false;
    bool partitioned = false;
    bool extension = false;         ///< Belongs to one.
    char identity = 'd';            ///< pg_class.relreplident.
    std::uint32_t file_node = 0;
    std::vector<int> key;           ///< Column numbers of the primary key.
    bool key_deferrable = false;
    std::vector<int> identity_key;  ///< Of the index that is the replica identity.
    std::vector<DdlColumn> columns;
};

struct DdlEnum {
    TableName name;
    std::vector<std::string> labels;
};

/// One report of the event triggers.
struct DdlMessage {
    struct Dropped {
        std::uint32_t oid = 0;
        TableName name;
    };
    /// A table is about to be written anew, by the statement whose tables are told next.
    struct Rewrite {
        static constexpr int kTypes = 4;     ///< AT_REWRITE_COLUMN_REWRITE.
        static constexpr int kValuesStay = 1 | 8;  ///< AT_REWRITE_ALTER_PERSISTENCE, AT_REWRITE_ACCESS_METHOD.
        std::uint32_t oid = 0;
        std::vector<std::uint32_t> above;  ///< The partitioned tables above a partition.
        int reason = 0;
        bool with_expression = true;  ///< USING, or it cannot be told.
    };
    std::string tag;  ///< `ALTER TABLE`.
    std::vector<DdlTable> tables;
    std::vector<DdlEnum> enums;
    std::vector<Dropped> dropped;
    std::optional<Rewrite> rewrite;
    bool unknown = false;  ///< Something changed that could not be looked at.
};

/// Anybody who may write logical messages on the leader can write this one. Throws DecodeError.
[[nodiscard]] DdlMessage parse_ddl_message(std::span<const std::byte> content);

/// The shape of the stream's table `before` after the statement. What the message does not speak of stays as it was.
[[nodiscard]] TableSchema shape_after(const TableSchema& before, const DdlTable& table, const std::vector<DdlEnum>& enums);

/// Why a rewrite gave old rows values that the stream does not show; empty when it did not.
[[nodiscard]] std::string rewrite_obstacle(const DdlMessage::Rewrite& rewrite, const TableSchema& before, const TableSchema& after);

}  // namespace rowferry::pgoutput
