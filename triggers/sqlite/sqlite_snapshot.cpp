#include "triggers/sqlite/sqlite_snapshot.h"

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/identifier.h"
#include "triggers/sqlite/capture_install.h"
#include "triggers/sqlite/capture_store.h"
#include "db/column_profile.h"
#include "triggers/sqlite/table_part.h"

namespace rowferry {
namespace {
constexpr int kSnapshotBusyTimeoutMs = 5000;
}

bool uses_wal(SqliteDatabase& db) { return db.query_text("PRAGMA main.journal_mode") == "wal"; }

SqliteSnapshot::SqliteSnapshot(std::shared_ptr<ProfileMemory> leader, const std::string& stream, const std::vector<std::string>& tables,
                               const StreamRequest& request, const StopSignal& stop)
    : memory_{std::move(leader)}, leader_{memory_->db()} {
    leader_.set_busy_timeout(kSnapshotBusyTimeoutMs);
    leader_.execute("PRAGMA query_only = 1");
    if (uses_wal(leader_)) {
        view_ = &leader_;
    } else {
        copy_ = std::make_unique<BackupCopy>(leader_, stop);
        view_ = &copy_->database();
    }
    rows_ = std::make_unique<SqliteRows>(*view_, stop);
    view_->execute("BEGIN");
    view_->guard_utf16();
    read_tables(stream, tables, request);
    if (request.need_profiles) profile_tables(stop);
}

SqliteSnapshot::~SqliteSnapshot() {
    rows_.reset();
    view_->rollback();
    sqlite3_exec(leader_.handle(), "PRAGMA query_only = 0", nullptr, nullptr, nullptr);
}

void SqliteSnapshot::add_table(const TablePtr& whole, const StreamRequest& request) {
    const TablePart part = request.rules.empty() ? whole_part(whole) : part_of_table(request, whole, view_->query_text("PRAGMA main.encoding"));
    tables_.push_back(part.carried);
    if (part.filter) filters_[whole->name] = part.expression;
}

void SqliteSnapshot::read_tables(const std::string& stream, const std::vector<std::string>& names, const StreamRequest& request) {
    if (stream.empty()) {
        for (const std::string& name : names) {
            auto table = read_sqlite_table(*view_, name);
            if (!table) throw RetryableError{fmt::format("{}: table {} went away", printable(leader_.path()), printable(name, 100))};
            add_table(std::make_shared<TableSchema>(std::move(table->schema)), request);
        }
        return;
    }
    const auto record = read_stream(*view_, stream);
    if (!record) throw HaltError{fmt::format("{}: the stream {} was removed while it was being set up", printable(leader_.path()), stream)};
    for (const TablePtr& table : read_captured_shapes(*view_, *record, names)) add_table(table, request);
    const LogEnd end = read_log_end(*view_);
    position_ = {end.seq, 0};
    resume_ = std::to_string(end.tag);
    // The rows that follow will be read with these shapes, so they must be the ones the triggers were made for.
    const std::string where = fmt::format("{}: stream {} at {}", printable(leader_.path()), stream, to_string(PositionKind::sequence, position_));
    const std::vector<TablePart> verified = verify_capture(*view_, tables_, request, where);
    for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i] = verified[i].carried;
}

void SqliteSnapshot::profile_tables(const StopSignal& stop) {
    for (TablePtr& table : tables_) {
        auto profiled = std::make_shared<TableSchema>(*table);
        if (view_ == &leader_)
            memory_->profile(*profiled, filters_[table->name], stop);
        else
            profile_columns(*view_, *profiled, filters_[table->name], stop);
        table = std::move(profiled);
    }
}

}  // namespace rowferry
