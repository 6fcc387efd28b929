#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "db/pg_session.h"
#include "schemas/user_type.h"

namespace rowferry {

/// Types of a PostgreSQL database that its users defined, with what each needs.
class PgUserTypes {
public:
    using Run = std::function<PgRows(const std::string& sql)>;

    /// Reads everything that `types` (oids) rest on. Catalog rows only: waits for nobody. Expressions are printed by the server; with an empty
    /// search_path every name in them is qualified.
    static PgUserTypes read(const Run& run, const std::vector<std::uint32_t>& types);

    /// What these types rest on, each behind those it needs itself.
    [[nodiscard]] std::vector<UserType> needed(const std::vector<std::uint32_t>& types) const;

private:
    struct Node {
        bool made_by_user = false;
        UserType type;
        std::vector<std::uint32_t> needs;
    };
    void visit(std::uint32_t oid, std::map<std::uint32_t, bool>& seen, std::vector<UserType>& result) const;

    std::map<std::uint32_t, Node> nodes_;
};

}  // namespace rowferry
