#include "decoder/sqlite_wal/wal_snapshot.h"

#include <fmt/format.h>

#include "db/column_profile.h"
#include "db/row_filter.h"
#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/sqlite_wal_source.h"
#include "decoder/sqlite_wal/wal_tables.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

WalSnapshot::WalSnapshot(std::unique_ptr<SqliteDatabase> db, const WalPlace& place, const std::vector<TableName>& tables, const StreamRequest& request, const StopSignal& stop)
    : db_{std::move(db)}, place_{place} {
    rows_ = std::make_unique<SqliteRows>(*db_, stop);
    db_->guard_utf16();
    const std::string encoding = db_->query_text("PRAGMA main.encoding");
    for (const TableName& name : tables) {
        const auto table = read_sqlite_table(*db_, name.name);
        if (!table) throw RetryableError{fmt::format("{}: table {} went away", printable(db_->path()), to_string(name))};
        const WalTablePart part = wal_table_part(request, table->schema);
        if (!part.filter.empty()) {
            const RowFilter checked{table->schema, part.filter, encoding};  // what it cannot take is refused here
            filters_[name] = part.filter;
        }
        tables_.push_back(part.carried);
        if (!request.need_profiles) continue;
        auto profiled = std::make_shared<TableSchema>(*part.carried);
        profile_columns(*db_, *profiled, part.filter, stop);
        tables_.back() = std::move(profiled);
    }
}

WalSnapshot::~WalSnapshot() {
    rows_.reset();
    db_->rollback();
}

std::string WalSnapshot::resume() const { return resume_of(place_); }

}  // namespace rowferry
