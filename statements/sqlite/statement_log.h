#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/sqlite.h"
#include "statements/sqlite/file_trail.h"
#include "statements/sqlite/recorded_statement.h"

namespace rowferry {

// The statement log that `rowferry exec` writes into a leader's own file, in the transaction of the statements themselves:
//
//   rowferry_statement_meta         key, value: layout; leader, a random id of this file; trail, the commit before the last write of ours (FileTrail); gaps, the last id
//   rowferry_statement_transaction  number, tag (random), committed_us, settings, last_rowid, rows (RowDigest; empty: a marker), first and count of its statements
//   rowferry_statement              number, sql, clock_ms
//   rowferry_statement_value        statement, kind ('parameter', 'random' or 'seed'), ordinal, value: the storage class itself
//   rowferry_statement_gap          id, after: somebody else committed behind transaction number `after`, and in front of the next one
//   rowferry_statement_stream       name, follower_id, acked: the transaction that the stream's follower has; those before the least of them may go
//
// Each call is a few statements in whatever transaction is open.

inline constexpr int kStatementLogLayout = 1;

/// Throws HaltError for a layout made by a newer rowferry.
[[nodiscard]] bool statement_log_installed(SqliteDatabase& db);
/// In a write transaction; does nothing where it is there. Throws RefusedError when something of another kind has one of its names.
void install_statement_log(SqliteDatabase& db);
void remove_statement_log(SqliteDatabase& db);
/// Empty when nothing is installed.
[[nodiscard]] std::string statement_log_leader(SqliteDatabase& db);

/// A row of rowferry_statement_transaction.
struct LoggedEntry {
    std::int64_t number = 0;
    std::int64_t tag = 0;
    std::int64_t committed_us = 0;
    std::string settings;
    std::int64_t last_rowid = 0;
    std::string rows;
    std::int64_t first = 1;  ///< Number of its first statement.
    std::int64_t count = 0;
};
[[nodiscard]] std::optional<LoggedEntry> last_entry(SqliteDatabase& db);
[[nodiscard]] std::optional<LoggedEntry> entry_at(SqliteDatabase& db, std::int64_t number);
/// The first one behind `number`.
[[nodiscard]] std::optional<LoggedEntry> entry_after(SqliteDatabase& db, std::int64_t number);
[[nodiscard]] RecordedStatement read_statement(SqliteDatabase& db, std::int64_t number);

/// One write of ours, in one write transaction: what belongs to it besides the statements.
class LogWrite {
public:
    /// Right behind the BEGIN: notes whether anybody else committed since the last one. Writes nothing yet.
    LogWrite(SqliteDatabase& db, const FileTrail& trail);
    /// The next statement of the transaction. Makes the log where there is none yet.
    void add(const RecordedStatement& statement);
    /// Ends it: its row, and the trail. `rows` empty: a marker. Returns its number.
    std::int64_t finish(const TransactionStart& start, const std::string& rows);
    /// Ends a write without an entry: the trail only.
    void finish_without_entry();

private:
    void prepare();

    SqliteDatabase& db_;
    std::string moment_;
    bool gap_ = false;
    bool prepared_ = false;
    LoggedEntry entry_;
};

struct StatementStream {
    std::string name;
    std::string follower_id;
    std::int64_t acked = 0;
};
[[nodiscard]] std::vector<StatementStream> read_statement_streams(SqliteDatabase& db);
[[nodiscard]] std::optional<StatementStream> read_statement_stream(SqliteDatabase& db, const std::string& name);
void write_statement_stream(SqliteDatabase& db, const StatementStream& stream);
void remove_statement_stream(SqliteDatabase& db, const std::string& name);
/// Removes at most `most` transactions that every stream has. The row of the last one that all have stays. True when more are left.
bool prune_statement_log(SqliteDatabase& db, std::int64_t most);

struct LogGap {
    std::int64_t id = 0;
    std::int64_t after = 0;
};
/// Those with a higher id, in order.
[[nodiscard]] std::vector<LogGap> gaps_behind(SqliteDatabase& db, std::int64_t id);
/// What the last write of ours noted.
[[nodiscard]] std::string noted_trail(SqliteDatabase& db);

}  // namespace rowferry
