#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "statements/postgresql/sql_facts.h"

namespace rowferry {

/// One place of a statement at which a bind parameter stands. A log has parameters' values and not their types: what the driver said, or left to the server, has to follow from the place.
struct ParameterUse {
    enum class Place {
        assigned,  ///< A column gets it: INSERT … VALUES ($1), SET column = $1.
        compared,  ///< column = $1, also with <>, <, >, <=, >=, IN and BETWEEN.
        matched,   ///< column LIKE $1.
        added,     ///< SET column = column + $1, also with -.
        cast,      ///< $1::type, whatever is done with that then.
        other,
    };
    int number = 0;
    Place place = Place::other;
    SqlName table;
    std::string column;      ///< Of the table; of a cast the type's name. Empty where an INSERT names no columns: `index` says which one.
    std::size_t index = 0;
};

/// Of a statement as text. Pure. Throws StatementError.
[[nodiscard]] std::vector<ParameterUse> parameter_uses(const std::string& sql);

}  // namespace rowferry
