#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "applier/sqlite/sqlite_connection.h"
#include "applier/sqlite/sqlite_table_info.h"
#include "schemas/follower.h"

namespace rowferry {

/// Copies single tables into a SQLite follower. Requests live in the table `rowferry_table_copy`, rows on their way in tables
/// `rowferry_copy_…`, whose columns have no type, so that they keep every value as the real table will get it.
class SqliteTableCopier : public TableCopier {
public:
    /// What the follower does for us, inside an open transaction.
    struct Help {
        std::function<void(const std::vector<TablePtr>&)> create_indexes;
        std::function<void(const TablePtr&, std::uint16_t, std::int64_t)> set_next_number;
    };
    SqliteTableCopier(SqliteConnection& connection, std::string stream, Help help);

    [[nodiscard]] std::vector<TableCopy> load() override;
    void save(const TableCopy& copy) override;
    bool withdraw(const std::string& id) override;
    [[nodiscard]] std::vector<std::string> check(const std::vector<TablePtr>& tables, const Checkpoint& checkpoint,
                                                 const FollowerOptions& options) override;
    void stage(TableCopy& copy) override;
    [[nodiscard]] std::unique_ptr<CopyTarget> copy_into(const CopiedTable& table) override;
    void swap_in(const TableCopy& copy, const Checkpoint& checkpoint) override;
    void discard(const TableCopy& copy) override;

private:
    [[nodiscard]] SqliteDatabase& db() noexcept { return connection_.db(); }
    void write(const TableCopy& copy);
    void drop_staging(const TableCopy& copy);
    [[nodiscard]] std::optional<FollowerTable> fitting(const CopiedTable& copied);
    [[nodiscard]] FollowerTable model(const CopiedTable& copied);
    void replace(const CopiedTable& table, const std::vector<TablePtr>& all);

    SqliteConnection& connection_;
    std::string stream_;
    Help help_;
};

/// Removes what copies of the stream left (all streams': no name): staging tables, requests, and with the last stream the table they live
/// in. The caller holds the transaction.
void drop_sqlite_table_copies(SqliteDatabase& db, const std::string& stream, bool last);

}  // namespace rowferry
