#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/random.h"

namespace rowferry::test {

/// Random values of every PostgreSQL type in their text form: limits, NaN, infinities, BC, odd texts, and through the catalog arrays
/// (NULLs, dimensions, lower bounds), enums, domains, composites, ranges, multiranges. One thread.
class PgValues {
public:
    explicit PgValues(PgConnection& connection);

    /// Text form of a value; `modifier` as in pg_attribute.atttypmod. May not satisfy a domain's CHECK.
    [[nodiscard]] std::string text(std::uint32_t type, int modifier, Random& random, int depth = 0) const;
    /// False where nothing is known about the type but that it has a text form.
    [[nodiscard]] bool knows(std::uint32_t type) const;

private:
    struct Type {
        std::string name;
        char kind = 'b';              ///< pg_type.typtype.
        std::uint32_t base = 0;       ///< Domain's base type, range's subtype, multirange's range type.
        int modifier = -1;            ///< Of a domain.
        std::uint32_t element = 0;    ///< Of an array.
        char delimiter = ',';
        std::vector<std::string> labels;
        std::vector<std::pair<std::uint32_t, int>> attributes;
    };
    [[nodiscard]] std::string array(const Type& type, int modifier, Random& random, int depth) const;
    [[nodiscard]] std::string range(const Type& type, Random& random, int depth) const;

    std::map<std::uint32_t, Type> types_;
};

}  // namespace rowferry::test
