#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/table_name.h"

namespace rowferry {

struct CheckConstraint {
    std::string name;        ///< May be empty on SQLite.
    std::string expression;  ///< In the leader's dialect, without the outer parentheses.
    bool no_inherit = false;  ///< PostgreSQL.
    bool not_valid = false;   ///< PostgreSQL: rows older than the constraint may break it.
    bool inherited = false;   ///< PostgreSQL: only there because the parent has it.
    friend bool operator==(const CheckConstraint&, const CheckConstraint&) = default;
};

/// A type that a PostgreSQL leader's database defines itself and a column needs. Type names in it are format_type() texts.
struct UserType {
    enum class Kind : std::uint8_t {
        enumeration,
        domain,
        composite,
        range,      ///< With the multirange type that belongs to it.
        extension,  ///< Comes with an extension: made by CREATE EXTENSION.
        other,      ///< A base type made by hand, or the row type of a table: it has to be on the follower already.
    };
    struct Attribute {
        std::string name;
        std::string type;
        std::string collation = {};       ///< As in ColumnSchema::pg_collation.
        friend bool operator==(const Attribute&, const Attribute&) = default;
    };
    Kind kind = Kind::enumeration;
    TableName name;
    std::string extension;                ///< Kind extension.
    std::vector<std::string> labels;      ///< Kind enumeration, in order.
    std::string base;                     ///< Domain: the type below. Range: the subtype.
    bool not_null = false;                ///< Domain.
    std::string default_expression;       ///< Domain.
    std::vector<CheckConstraint> checks;  ///< Domain; VALUE stands for the value.
    std::vector<Attribute> attributes;    ///< Composite.
    std::string collation = {};           ///< Domain, range: as in ColumnSchema::pg_collation.
    std::string multirange = {};          ///< Range: the name of its multirange, in the same schema.
    std::vector<std::string> not_carried = {};  ///< One line each, what a follower's own will not have.
    friend bool operator==(const UserType&, const UserType&) = default;
};

}  // namespace rowferry
