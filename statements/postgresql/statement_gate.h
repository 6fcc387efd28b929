#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "decoder/pg_log/logged_transaction.h"
#include "schemas/table_name.h"
#include "statements/postgresql/effects.h"
#include "statements/postgresql/server_catalog.h"

namespace rowferry {

/// What is to be done with a logged statement.
struct Verdict {
    enum class Fate {
        run,
        skip,          ///< Changes no row: reads, administration.
        undetermined,  ///< Its text does not say what it came to.
        refused,       ///< It cannot be run again, nor made up for.
    };
    Fate fate = Fate::run;
    std::string reason;            ///< Why undetermined or refused.
    bool administration = false;   ///< Skipped, and counted.
    bool changes_catalog = false;  ///< Everything that is known of the catalog is void behind it.
    bool truncates = false;        ///< Its effects.writes lose all their rows.
    bool sets = false;             ///< Leaves settings behind in its session.
    std::string prepared;          ///< To be run before it: PREPARE.
    std::string sql;               ///< The statement to run.
    Effects effects;
};

/// Says of each statement of a log whether running it again on the scratch comes to what it came to on the leader, and which rows it touches. Knows PostgreSQL's syntax (by its own
/// parser) and the scratch's catalog, which has to be at the statement's place in the log. One thread.
class StatementGate : public Touches {
public:
    explicit StatementGate(PgSession& scratch) : catalog_{scratch}, finder_{catalog_} {}

    /// Never throws for what a statement says. `settings_changed`: see unsettled().
    [[nodiscard]] Verdict judge(const LoggedStatement& statement, const LoggedSession& session);
    [[nodiscard]] std::vector<Touch> touches(const LoggedTransaction& transaction) override;

    /// SET statements that a session carries and that change what its statements mean.
    [[nodiscard]] static bool matters(const std::string& setting);

    /// The catalog changed.
    void forget() {
        catalog_.forget();
        ++generation_;
    }
    [[nodiscard]] std::uint64_t generation() const override { return generation_; }
    [[nodiscard]] ServerCatalog& catalog() noexcept { return catalog_; }

    /// Sessions that changed their settings by set_config(), out of the log reader's sight: what they write is refused. Kept with the log's position.
    [[nodiscard]] const std::set<std::string>& unsettled() const noexcept { return unsettled_; }
    void set_unsettled(std::set<std::string> sessions) { unsettled_ = std::move(sessions); }

private:
    [[nodiscard]] Verdict judge_parsed(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);
    [[nodiscard]] Verdict judge_execute(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);
    [[nodiscard]] static Verdict judge_setting(const SqlFacts& facts, const LoggedSession& session);
    void check_definition(const SqlFacts& facts, const LoggedSession& session, Verdict& verdict);
    [[nodiscard]] Verdict judge_utility(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session);
    void touch_targets(const SqlFacts& facts, const LoggedStatement& statement, const std::string& unique, std::uint32_t index, std::vector<Touch>& touches);
    void touch_definitions(const SqlFacts& facts, std::uint32_t index, bool changes, std::vector<Touch>& touches);
    void touch_insert(const CatalogTable& table, const SqlTarget& target, const LoggedStatement& statement, const std::string& unique, std::uint32_t index, std::vector<Touch>& touches);

    ServerCatalog catalog_;
    EffectFinder finder_;
    std::set<std::string> unsettled_;
    std::uint64_t generation_ = 0;
};

}  // namespace rowferry
