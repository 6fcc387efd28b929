#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/pg_session.h"
#include "decoder/pg_log/log_reader.h"

namespace rowferry {

/// Asks the leader which of the sessions that went quiet in its log have come to the end of their last statement. One that had is idle or gone, and what it had to say about that statement (an
/// error, perhaps) stands in the log before whatever the leader logs later: a statement of ours. Once that has arrived and everything was read, the sessions are proven. One thread.
class SessionProver {
public:
    SessionProver(PgConninfo leader, std::string application, std::vector<std::string> paths);

    /// Asks, at most twice a second, unless an answer is still on its way through the log.
    void ask();
    /// At the log's end. True where there is more to read: an answer has arrived, or sessions were proven.
    bool look(LogReader& reader);
    /// Nothing that was committed before the last question is still in the dark: the answer has come, and whoever is still unproven was at work then.
    [[nodiscard]] bool all_known(const LogReader& reader) const;
    /// Asks anew at once: what was answered before does not count.
    void begin_anew() {
        answered_ = pending_ = arrived_ = false;
        next_ms_ = 0;
    }
    /// Is the transaction one of ours? Then the sessions that were asked about are proven to the reader.
    bool see(const LoggedTransaction& transaction, LogReader& reader);

private:
    /// A session of the leader when it was asked.
    struct Seen {
        std::string id;     ///< As %c has it.
        std::string pid;
        bool idle = false;
    };
    [[nodiscard]] bool began_before_question(const UnprovenSession& session) const;
    [[nodiscard]] bool works(const UnprovenSession& session) const;

    PgConninfo conninfo_;
    std::string application_;
    std::unique_ptr<PgSession> session_;
    std::vector<std::string> paths_;
    std::map<std::string, std::uintmax_t> sizes_;  ///< Of the log's files when it was asked.
    std::string token_;
    std::vector<Seen> sessions_;   ///< Of the last question.
    LogTime asked_ = 0;            ///< The leader's clock then.
    bool arrived_ = false;
    bool pending_ = false;
    bool answered_ = false;
    std::int64_t next_ms_ = 0;
};

}  // namespace rowferry
