#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schemas/position.h"

namespace rowferry {

/// Where something stands in a log, for messages. `line` is 1-based in its file; a statement of several lines is at its first one.
struct LogPlace {
    std::shared_ptr<const std::string> path;  ///< As it was when the file was opened: rotation may have renamed it since.
    std::uint64_t line = 0;
    std::uint64_t offset = 0;  ///< Byte in the file, of the unpacked content where it is compressed.
};

/// `path:line`.
[[nodiscard]] std::string to_string(const LogPlace& place);

/// One moment of a log's clock: microseconds since 1970-01-01 UTC. Logs have milliseconds (%m, csvlog) or seconds (%t).
using LogTime = std::int64_t;

/// Order of the entries of a log over all its files: a later entry has the higher number. Only compared, and only within one run of a reader.
using LogOrder = std::uint64_t;
constexpr LogOrder kNotYet = ~LogOrder{0};  ///< Not proven by any entry so far.

/// One SQL statement that ran and was not rolled back. Never BEGIN, COMMIT or another one that only controls the transaction.
struct LoggedStatement {
    std::string sql;                                      ///< Exactly one statement, without a semicolon at its end; comments as they were.
    std::vector<std::optional<std::string>> parameters;   ///< $1, $2 … as text; no value: NULL.
    std::string prepared;  ///< For an EXECUTE in SQL: the text of its PREPARE statement, as the log's DETAIL has it. Else empty.
    bool extended = false; ///< Of the extended protocol: it may have been parsed long before, under other settings.
    LogTime began = 0;     ///< When it began: the time of its line before execution, or that of its duration line less the duration.
    std::optional<std::int64_t> duration;  ///< Microseconds, where the log has them.
    bool own_message = true;  ///< False: came in the same message of the client as the statement before it (statement_timestamp() is that one's).
    LogPlace place;
    /// It began after the first of these entries and had returned before the second.
    LogOrder after = 0;
    LogOrder before = kNotYet;
};

/// Whose statements these are. What the log does not have is empty.
struct LoggedSession {
    std::string id;  ///< %c, or the process id where the prefix has none.
    std::uint32_t pid = 0;
    std::string user;
    std::string database;
    std::string application;
    /// SET (SESSION) statements of this session's earlier transactions that are still in force, by name in lower case, in the order in which they ran:
    /// search_path, timezone, role, session_authorization … with the statement as logged. RESET, DISCARD ALL and rollbacks are accounted for. What a connection
    /// brought with it (options, ALTER ROLE … SET), and set_config(), are in no log.
    std::vector<std::pair<std::string, std::string>> settings;
    /// False: it was there before the log begins, or before the log had every statement, so that it may have set something that is in no log.
    bool settings_known = true;
};

/// One committed transaction: what is left of it when savepoints that were rolled back are taken out. May hold statements that only read; a transaction with
/// none at all, or with nothing but SET, is not given out.
struct LoggedTransaction {
    std::vector<LoggedStatement> statements;
    std::shared_ptr<const LoggedSession> session;  ///< As it was at the transaction's beginning; for a prepared one the session that prepared it.
    std::optional<std::uint32_t> xid;              ///< Where some entry of the transaction has one (%x, csvlog, jsonlog).
    LogTime began = 0;                             ///< When its first statement (BEGIN counts) began: what now() gave, as exactly as the log has it.
    LogTime committed = 0;                         ///< Time of the latest entry that lies before its commit's end: of COMMIT, or its duration line.
    std::string isolation;   ///< "read committed", "repeatable read", "serializable", where the log says so; else empty: the server's default.
    bool read_only = false;  ///< Was begun READ ONLY.
    std::string gid;         ///< Of PREPARE TRANSACTION; else empty.
    bool explicit_block = false;     ///< Between BEGIN and COMMIT; else one statement, or the statements of one message.
    bool began_before_log = false;   ///< Its session was there before the log's first entry, and nothing proves that no part of the transaction is missing.

    /// It was committed after the first of these entries and before the second one.
    LogOrder commit_after = 0;
    LogOrder commit_before = kNotYet;
    LogPlace begin;   ///< Of its first entry.
    LogPlace commit;  ///< Of COMMIT, COMMIT PREPARED or the only statement.
    /// What a checkpoint keeps: behind this transaction. Rises strictly from each transaction to the next. `major`: the file's number, the time of its first entry in
    /// microseconds (made to rise); `minor`: the byte of the entry that let this transaction out, times 65536, plus how many it let out before.
    Position position;
};

/// How a statement gets at a row.
enum class TouchMode : std::uint8_t {
    /// Sees it and neither locks nor changes it; or might have to find it, by a WHERE with more than the key (`id = 1 AND state = 'new'` does not wait for somebody
    /// who is just making that true), or by ON CONFLICT DO NOTHING, which locks nothing.
    reads,
    /// Its WHERE is one whole unique key and nothing else (UPDATE, DELETE, SELECT … FOR UPDATE): it waits for whoever has the row, then has it until the commit.
    /// Where there is no such row it locks nothing.
    locks,
    /// Makes a row with this key (INSERT, an UPDATE of key columns; INSERT … ON CONFLICT DO UPDATE): waits for whoever is making or removing one.
    inserts,
};

/// Something that a statement reads or changes. Touches collide when they are of the same object, and of the same key value or not of the same key.
struct Touch {
    std::string object;      ///< Table, sequence … under any name that is the same each time, such as "public.accounts".
    std::string key;         ///< Which unique key pins it, such as its index's name; empty: the whole object.
    std::string value;       ///< The key's values, in a form that is the same for equal values. Meaningless without a key.
    TouchMode mode = TouchMode::reads;
    bool writes = true;      ///< False: changes nothing there. Two touches that change nothing never collide. (`reads` with `writes`: an UPDATE by another predicate.)
    std::uint32_t statement = 0;  ///< Index in LoggedTransaction::statements.
};

/// The object that stands for what all objects are: definitions write it, whatever depends on definitions reads it.
inline constexpr const char* kDefinitionsObject = "(definitions)";

/// What a transaction touches: asked of the gate, which knows SQL and the tables.
class Touches {
public:
    virtual ~Touches() = default;

    /// Everything whose order among transactions matters. A transaction whose statements only read, and give what they read to nobody but the client, touches
    /// nothing. What cannot be told has to be said as more than it is: other keys than by constants, subqueries, triggers, cascades: whole tables. Must not throw for
    /// statements that will be refused later: a transaction may be asked for that turns out to have been rolled back.
    /// Called for those that overlap another one, before they are given out: once, and again when generation() has risen.
    [[nodiscard]] virtual std::vector<Touch> touches(const LoggedTransaction& transaction) = 0;
    /// Rises whenever touches() may answer otherwise than before: definitions were run.
    [[nodiscard]] virtual std::uint64_t generation() const { return 0; }
};

}  // namespace rowferry
