#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/shape_diff.h"

namespace rowferry {

/// DDL text that brings a table of a PostgreSQL follower from one shape to the next. Pure.

/// What a column that was added holds in the rows that are older than it.
struct OldValue {
    enum class Kind { null, text, unknown };  ///< unknown: it cannot be told, so the rows have to be copied again.
    Kind kind = Kind::null;
    std::string text;  ///< PostgreSQL's input form.
};
/// PostgreSQL leaders: the missing value of the catalog. SQLite leaders: the default, where it is a literal that is kept as it is written.
[[nodiscard]] OldValue old_value(const TableSchema& table, std::uint16_t column);

/// The statements of one step. `table`: what the table is called when the step is due. `type`: of add_column and change_type, in the
/// follower's words (spliced as it is); of labels the follower's name of the enum, ready for SQL.
[[nodiscard]] std::vector<std::string> pg_alter(const ShapeStep& step, const TableSchema& after, const TableSchema& before, const TableName& table,
                                                const std::string& type);

/// Is a default of the leader nothing but a literal (perhaps with a cast to a plain type) or one of PostgreSQL's names for the present
/// moment? Everything else is not spliced into a follower's DDL while a stream runs.
[[nodiscard]] bool is_plain_default(std::string_view expression);

}  // namespace rowferry
