#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/stop_signal.h"
#include "schemas/table_schema.h"
#include "statements/sqlite/script_verb.h"
#include "statements/sqlite/statement_session.h"
#include "statements/sqlite/transaction_reader.h"

namespace rowferry {

/// A transaction of the statement log that was run on the scratch copy.
struct ScratchPlace {
    Position position;         ///< In the statement log.
    std::uint64_t seq = 0;     ///< Where it ends in the scratch copy's change table.
    std::string tag;           ///< Of the log at that place.
    std::int64_t time_us = 0;
    SessionSettings settings;  ///< At its end.
    std::int64_t last_rowid = 0;
};

/// A copy of the leader's rows on which the statements of the log are run again, each transaction as one transaction together with its place in the log. Its row changes are
/// captured by triggers (triggers/sqlite), as those of a leader. A file of ours: nobody else writes to it. One thread.
///
///   rowferry_scratch        key, value: stream, follower; entry, the last one of the log that was copied with the rows; settled_gap; patterns and files
///   rowferry_scratch_place  one row per ScratchPlace that the follower may still have to be given
class ScratchCopy {
public:
    /// Makes it anew from `state`, a database of which nothing is changed, without capture. It is complete when it has its name.
    static void make(const std::string& path, const std::string& state, const StopSignal& stop);
    static void remove(const std::string& path);

    explicit ScratchCopy(const std::string& path);

    [[nodiscard]] SqliteDatabase& db() noexcept { return session_.db(); }
    [[nodiscard]] std::string note(const std::string& key);
    void set_note(const std::string& key, const std::string& value);

    /// The stream's capture is there: this is where it begins.
    void begin_at(const ScratchPlace& place);
    [[nodiscard]] std::optional<ScratchPlace> last_place();
    [[nodiscard]] std::optional<ScratchPlace> place_at(Position position);
    /// Those behind a position, in order; at most `most`.
    [[nodiscard]] std::vector<ScratchPlace> places_behind(Position position, std::size_t most);
    /// Forgets those in front of `position`, once all of it is on disk.
    void forget_before(Position position);

    /// The captured tables as they are at the end of what was run: changes of their shape are logged behind the statement that made them. Empty: they are not.
    void follow_shapes(std::vector<TablePtr> shapes) { shapes_ = std::move(shapes); }

    /// Runs the next transaction of the log. False: there is none now. Nothing of it stays when this throws.
    bool advance(TransactionReader& log);

private:
    ScriptVerb::Kind run(const RecordedStatement& statement, bool checked);
    void run_pragma(const std::string& sql);
    void log_shapes(const RecordedStatement& statement, std::uint64_t before);
    void renew_triggers();
    void finish(const TransactionEnd& end, std::uint64_t before);
    void write_place(const ScratchPlace& place);
    [[nodiscard]] std::uint64_t log_end();

    StatementSession session_;
    std::optional<ScratchPlace> last_;
    std::int64_t last_rowid_ = 0;    ///< What last_insert_rowid() says behind the last transaction, also one that was rolled back.
    SessionSettings settings_;       ///< Of the connection.
    std::vector<TablePtr> shapes_;
};

}  // namespace rowferry
