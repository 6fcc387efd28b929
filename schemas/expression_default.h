#pragma once

#include <cstdint>
#include <string>

#include "schemas/expression.h"
#include "schemas/expression_tree.h"

namespace rowferry {

/// Defaults of one column, for the type that it has on the follower. What a default gives has to be the very text or number that the leader's
/// own default would be on the follower, or the time of the insert in the form that the column's values have. Both throw UnknownExpression.
class DefaultWriter {
public:
    DefaultWriter(const TableSchema& table, std::uint16_t column, std::string type) : table_{table}, column_{table.columns.at(column)}, type_{std::move(type)} {}

    [[nodiscard]] Translation for_sqlite(const std::string& expression) const;
    [[nodiscard]] Translation for_postgresql(const std::string& expression) const;

private:
    [[nodiscard]] std::string constant_for_sqlite(const Expression& literal, const std::string& cast_to) const;
    [[nodiscard]] std::string constant_for_pg(const Expression& literal) const;
    [[nodiscard]] Translation time_for_sqlite(const Expression& call, bool in_utc) const;
    [[nodiscard]] Translation time_for_pg(const Expression& call) const;
    [[nodiscard]] Translation time_text_for_pg(const std::string& format) const;

    const TableSchema& table_;
    const ColumnSchema& column_;
    std::string type_;
};

}  // namespace rowferry
