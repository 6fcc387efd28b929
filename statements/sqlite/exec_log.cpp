#include "statements/sqlite/exec_log.h"

#include <utility>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/sqlite/busy_timeout.h"

namespace rowferry {
namespace {
}

ExecLog::ExecLog(const std::string& leader, std::int64_t after, std::string tag)
    : db_{leader, SqliteDatabase::Mode::read_write}, last_{after}, tag_{std::move(tag)} {
    db_.set_busy_timeout(kBusyTimeoutMs);
    db_.execute("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0");
}

/// What was run last is kept in the log until more has been acknowledged.
void ExecLog::require_same_history() {
    if (tag_.empty()) return;
    const auto before = entry_at(db_, last_);
    if (before && std::to_string(before->tag) == tag_) return;
    throw HaltError{fmt::format("{}: its statement log {} {}, which was run before: the file was restored from a backup or replaced. `rowferry drop LEADER FOLLOWER`, then `rowferry run` with "
                                "--on-existing truncate copies again",
                                printable(db_.path()), before ? "has something else at" : "no longer has", to_string(PositionKind::log, {static_cast<std::uint64_t>(last_), 0}))};
}

std::optional<TransactionStart> ExecLog::begin() {
    if (!statement_log_installed(db_)) throw HaltError{fmt::format("{}: its statement log is gone", printable(db_.path()))};
    require_same_history();
    entry_ = entry_after(db_, last_);
    if (!entry_) return std::nullopt;
    if (entry_->number != last_ + 1)
        throw HaltError{fmt::format("{}: transactions {} to {} of the statement log are missing", printable(db_.path()), last_ + 1, entry_->number - 1)};
    taken_ = 0;
    if (entry_->rows.empty()) return TransactionStart{};  // a marker
    return TransactionStart{parse_session_settings(entry_->settings), {}, entry_->last_rowid};
}

std::optional<RecordedStatement> ExecLog::next() {
    if (taken_ == entry_->count) return std::nullopt;
    RecordedStatement statement = read_statement(db_, entry_->first + taken_);
    statement.line = static_cast<std::uint64_t>(++taken_);
    return statement;
}

TransactionEnd ExecLog::end() const {
    TransactionEnd end{{static_cast<std::uint64_t>(entry_->number), 0}, std::to_string(entry_->tag), entry_->committed_us, {}};
    if (!entry_->rows.empty()) end.rows = entry_->rows;
    return end;
}

void ExecLog::accept() {
    last_ = entry_->number;
    tag_ = std::to_string(entry_->tag);
    entry_.reset();
}

std::string ExecLog::place() const {
    if (!entry_) return printable(db_.path());
    return fmt::format("{}: transaction {} of the statement log, statement {}", printable(db_.path()), entry_->number, taken_);
}

}  // namespace rowferry
