#include "applier/postgresql/pg_query.h"

#include <charconv>
#include <string_view>

namespace rowferry {
namespace {

PgRows copy_out(const PGresult* result) {
    if (result == nullptr) return {};
    std::vector<PgRows::Row> rows(static_cast<std::size_t>(PQntuples(result)));
    const int columns = PQnfields(result);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const int row = static_cast<int>(i);
        for (int column = 0; column < columns; ++column) {
            if (PQgetisnull(result, row, column) != 0)
                rows[i].emplace_back(std::nullopt);
            else
                rows[i].emplace_back(
                    std::string{PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))});
        }
    }
    std::size_t affected = 0;
    // PQcmdTuples() does not change the result; its parameter is not const for historical reasons.
    const std::string_view count = PQcmdTuples(const_cast<PGresult*>(result));
    std::from_chars(count.data(), count.data() + count.size(), affected);
    return {std::move(rows), affected};
}

}  // namespace

PgRun run_on(PgSession& session) {
    return [&session](const std::string& sql) { return session.query(sql); };
}

PgRun run_on(PgLink& link) {
    return [&link](const std::string& sql) { return copy_out(link.query(sql).get()); };
}

}  // namespace rowferry
