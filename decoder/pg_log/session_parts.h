#pragma once

// Of log_sessions.cpp and session_run.cpp only.

#include <cstdint>
#include <string>
#include <vector>

#include "decoder/pg_log/log_sessions.h"

namespace rowferry {

enum class Block : std::uint8_t { idle, open, failed, maybe_failed };

struct LogSessions::Session {
    std::shared_ptr<const LoggedSession> info;
    std::uint32_t pid = 0;
    std::uint64_t next_number = 0;  ///< 0: the next one is taken as it is.
    std::string isolation;          ///< Of its transactions, where SET said so.
    bool known = false;             ///< No transaction of it began before the log.
    LogOrder last = 0;              ///< Its last entry.
    std::string last_transaction;   ///< Its virtual id.
    Block block = Block::idle;
    TransactionPtr transaction;     ///< The block's.
    std::string ghost_id;           ///< Virtual id of what was open where reading began, where that is known.
    TransactionPtr implicit;        ///< Executes of the extended protocol outside of a block: they end with Sync, which no line shows.
    std::string implicit_id;        ///< Its virtual transaction id.

    /// The message whose success is not proven yet.
    struct Pending {
        bool active = false, extended = false;
        std::uint64_t text_hash = 0, text_size = 0;
        std::string id;             ///< Virtual transaction id of its entry.
        LogTime time = 0;
        TransactionPtr in;          ///< Where its statements went; from `from` on.
        std::size_t from = 0;
        std::vector<TransactionPtr> commits;
        std::vector<std::string> forgets;  ///< Prepared transactions that it rolls back.
        std::vector<std::pair<std::string, TransactionPtr>> prepares, takes;
        bool controls = false;      ///< It has statements that control a transaction,
        bool single = false;        ///< and only one of them, and nothing else;
        bool begins_and_ends = false;  ///< or is BEGIN; …; COMMIT as a whole.
        bool several = false;       ///< It may be several transactions, of which the first ones stay when it fails.
        SqlKind kind = SqlKind::other;  ///< Of the single one.
        LogPlace place;
    } pending;
};

/// One message of a client, while it is applied.
struct LogSessions::Run {
    const LogEntry* entry = nullptr;
    const EntrySite* site = nullptr;
    LogOrder after = 0;
    LogTime began = 0;
    std::optional<std::int64_t> duration;
    bool extended = false;
    bool done = false;  ///< The entry came after execution.
    bool function_call = false;
    std::vector<std::optional<std::string>> parameters;
    std::string prepared;  ///< What the statement at hand, an EXECUTE, had been prepared as.
    TransactionPtr implicit;
    std::size_t count = 0;  ///< Statements that were appended.
    Session::Pending* pending = nullptr;
    bool began_before_log = false;
};

/// The same in every program (it is kept in positions).
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text) {
    std::uint64_t out = 0xCBF29CE484222325ULL;  // FNV-1a
    for (const char c : text) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return out;
}

[[nodiscard]] inline bool is_setting(SqlKind kind) {
    return kind == SqlKind::set_session || kind == SqlKind::set_local || kind == SqlKind::reset || kind == SqlKind::reset_all || kind == SqlKind::discard_all;
}

}  // namespace rowferry
