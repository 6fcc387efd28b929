#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/sqlite_schema.h"
#include "schemas/table_schema.h"
#include "triggers/sqlite/capture_store.h"
#include "triggers/sqlite/hidden_key.h"
#include "triggers/sqlite/table_part.h"

namespace rowferry {

/// What a new stream wants captured.
struct CaptureRequest {
    std::string stream;
    std::string follower_id;
    bool exact_replace = false;
    std::vector<std::string> tables;
};

/// Makes the tables and triggers that the stream needs and appends its first marker. The caller holds the write transaction.
/// An unfinished start of the same follower is taken over; another follower's stream of that name is a RefusedError.
/// Streams that relied on triggers which turn out to be gone are marked broken: new triggers must not hide the gap from them.
void install_stream(SqliteDatabase& db, const CaptureRequest& request);

/// For a stream that exists: makes the triggers of `request.tables` anew, adds those tables that are not captured for it yet, and appends
/// a marker. What was logged about them before is void. The caller holds the write transaction. Throws RefusedError when the stream's
/// capture is broken elsewhere too: new triggers must not hide that.
void install_tables(SqliteDatabase& db, const CaptureRequest& request);

/// Makes the triggers of a captured table anew for its present shape and name, after shape and triggers were found to be in order.
void reshape_table(SqliteDatabase& db, const SqliteTable& now, CapturedTable captured);
/// Once reshape_table() is done for every table that needs it: those, by their present names.
void seal_capture(SqliteDatabase& db, const std::vector<std::string>& reshaped);

/// Takes tables out of a stream, with the triggers that only it needed. The caller holds the write transaction.
void remove_tables(SqliteDatabase& db, const std::string& stream, const std::vector<std::string>& tables);

/// The present shapes of those of the stream's tables that are among `names`, with their numbers and the identity that the triggers log. Others
/// may be gone from the file by now.
[[nodiscard]] std::vector<TablePtr> read_captured_shapes(SqliteDatabase& db, const StreamRecord& stream, const std::vector<std::string>& names);

/// Why a table with these column counts cannot be captured, or nothing.
[[nodiscard]] std::optional<std::string> too_wide(SqliteDatabase& db, const TableSchema& table);

/// Why a table with keys that no trigger can look after is refused; `hidden.unseen` is not empty.
[[nodiscard]] std::string cannot_see(const TableSchema& table, const HiddenKeys& hidden);

/// Everything that makes the log complete and readable: the triggers are there with exactly our text and newer than the user's, the
/// columns are those of `shapes`, their keys still are keys, the request's rules still can be kept. Call in the read transaction of the rows. Returns
/// the shapes with the present unique keys (the same pointer where nothing changed). Throws HaltError; `where` names file, stream and position.
[[nodiscard]] std::vector<TablePart> verify_capture(SqliteDatabase& db, const std::vector<TablePtr>& shapes, const StreamRequest& request, const std::string& where);

/// Removes a stream and the triggers that only it needed. The caller holds the write transaction. Returns one line per object.
/// With `dry_run` nothing is removed.
[[nodiscard]] std::vector<std::string> remove_stream(SqliteDatabase& db, const std::string& stream, bool dry_run);

/// With no stream left: the tables. The log should be empty by then, or this takes long.
[[nodiscard]] std::vector<std::string> remove_capture_tables(SqliteDatabase& db, bool dry_run);

/// What to do after a gap, for messages.
[[nodiscard]] std::string way_out();

}  // namespace rowferry
