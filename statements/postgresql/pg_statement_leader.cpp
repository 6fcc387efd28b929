#include "statements/postgresql/pg_statement_leader.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "db/pg_session.h"
#include "db/random_id.h"
#include "decoder/pgoutput/pg_names.h"
#include "decoder/pgoutput/pg_stream.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/placed_snapshot.h"
#include "statements/postgresql/database_copy.h"
#include "statements/postgresql/leader_settings.h"
#include "statements/postgresql/log_begin.h"
#include "statements/postgresql/pg_statement_source.h"
#include "triggers/postgresql/pg_trigger_leader.h"

namespace rowferry {
namespace {

constexpr const char* kBeginAnew = "`rowferry drop LEADER FOLLOWER --scratch DATABASE` the stream and run it again with --on-existing truncate";

/// The scratch's rows as of a place in the log, without the marker's table.
std::unique_ptr<Snapshot> at_place(Position position, std::unique_ptr<Snapshot> rows, const std::string& scratch) {
    std::string resume = PositionedSource::resume_text(scratch, rows->position(), rows->resume());
    return std::make_unique<PlacedSnapshot>(std::move(rows), position, std::move(resume), kScratchMarker);
}

/// The stream's tables and the marker's.
StreamRequest on_scratch(const StreamRequest& request) {
    StreamRequest inner = request;
    if (!inner.selection.tables.empty())
        inner.selection.tables.emplace_back(to_string(kScratchMarker));
    else if (!inner.selection.schemas.empty())
        inner.selection.schemas.emplace_back(kScratchMarker.schema, true);
    if (!inner.selection.selects(Engine::postgresql, kScratchMarker))
        throw RefusedError{fmt::format("--exclude-table leaves out {}, a table of the scratch that the stream needs", to_string(kScratchMarker))};
    // What the scratch keeps for itself.
    inner.selection.excluded.emplace_back(kScratchMarker.schema + ".state");
    inner.binary = false;
    return inner;
}

class PgStatementLeader : public Leader {
public:
    PgStatementLeader(PgConninfo conninfo, PgStatementOptions options, const StopSignal& stop, std::string stream)
        : conninfo_{std::move(conninfo)}, options_{std::move(options)}, stop_{stop}, stream_{std::move(stream)}, application_{application_name(stream_)} {}

    [[nodiscard]] Engine engine() const override { return Engine::postgresql; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::statements; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::log; }
    [[nodiscard]] std::string describe() const override { return fmt::format("the statement log of {}", at_hand() ? conninfo_.describe() : options_.start->describe()); }

    LeaderIdentity identify() override;
    Position current_position() override;
    std::vector<TablePtr> select_tables(const StreamRequest& request) override;
    std::vector<std::string> skipped(const StreamRequest& request) override { return state_leader().skipped(request); }
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override { return state_leader().snapshot(request); }
    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& names) override;
    void release(const StreamRequest& request, const std::vector<TableName>& tables) override { scratch_leader().release(on_scratch(request), tables); }
    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override;
    Position mark(const StreamRequest& request) override;
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    [[nodiscard]] bool at_hand() const { return !options_.start.has_value(); }
    PgSession& session();
    Leader& state_leader();
    Leader& scratch_leader();
    PgScratch& scratch();
    [[nodiscard]] std::optional<ScratchState> own_state();
    void require_options() const;
    [[nodiscard]] LogSettings log_settings();
    [[nodiscard]] std::unique_ptr<LogPlayer> player(PgScratch& scratch, ScratchState state);

    PgConninfo conninfo_;
    PgStatementOptions options_;
    const StopSignal& stop_;
    std::string stream_;
    std::string application_;
    std::unique_ptr<PgSession> session_;
    std::unique_ptr<Leader> state_leader_;
    std::unique_ptr<Leader> scratch_leader_;
    std::unique_ptr<PgScratch> scratch_;
    std::optional<LeaderIdentity> identity_;
    PgStatementSource* source_ = nullptr;  ///< Of follow(); not read before mark().
};

void PgStatementLeader::require_options() const {
    if (options_.paths.empty()) throw RefusedError{"capture by statements reads the leader's log: name it with --statement-log PATH"};
    if (!options_.scratch)
        throw RefusedError{"capture by statements runs them again in a database of its own: name an empty one with --scratch postgresql://…"};
}

/// The leader, or the state before the log in its place.
PgSession& PgStatementLeader::session() {
    if (!session_) session_ = std::make_unique<PgSession>(at_hand() ? conninfo_ : *options_.start, PgRole::leader, application_ + "_control");
    return *session_;
}

Leader& PgStatementLeader::state_leader() {
    if (!state_leader_) state_leader_ = make_pg_trigger_leader(at_hand() ? conninfo_ : *options_.start, stop_, stream_);
    return *state_leader_;
}

PgScratch& PgStatementLeader::scratch() {
    require_options();
    if (!scratch_) scratch_ = std::make_unique<PgScratch>(*options_.scratch, application_);
    return *scratch_;
}

Leader& PgStatementLeader::scratch_leader() {
    if (!scratch_leader_) scratch_leader_ = make_pg_trigger_leader(scratch().conninfo(), stop_, stream_);
    return *scratch_leader_;
}

/// Of a scratch that is filled for this stream.
std::optional<ScratchState> PgStatementLeader::own_state() {
    auto state = scratch().state();
    if (state && (state->stream != stream_ || !state->filled)) state.reset();
    return state;
}

LeaderIdentity PgStatementLeader::identify() {
    if (identity_) return *identity_;
    identity_ = read_identity(session());
    // The state before the log belongs to the database that the log speaks of.
    if (!at_hand() && !options_.database.empty()) identity_->database = options_.database;
    return *identity_;
}

Position PgStatementLeader::current_position() {
    auto state = own_state();
    if (!state) return {};
    if (!state->tainted.empty()) return state->position;
    // With a session of its own: another process may be running the log there.
    PgScratch own{scratch().conninfo(), application_};
    return LogPlayer{own, std::move(*state), log_settings(), {application_, at_hand() ? std::optional{conninfo_} : std::nullopt, options_.rows}, stop_}.last_position();
}

bool PgStatementLeader::caught_up(const StreamRequest& request, const Checkpoint& checkpoint) {
    const auto state = own_state();
    return state && state->stream == request.stream && state->tainted.empty() && checkpoint.position >= current_position();
}

std::vector<TablePtr> PgStatementLeader::select_tables(const StreamRequest& request) {
    if (!own_state()) return state_leader().select_tables(request);
    std::vector<TablePtr> tables = scratch_leader().select_tables(on_scratch(request));
    std::erase_if(tables, [](const TablePtr& table) { return table->name == kScratchMarker; });
    return tables;
}

LogSettings PgStatementLeader::log_settings() {
    LogSettings settings;
    if (at_hand()) {
        settings = settings_of_leader(session(), options_.paths);
    } else {
        settings.paths = options_.paths;
        settings.database = options_.database.empty() ? identify().database : options_.database;
        settings.only_database = !options_.database.empty();
    }
    return settings;
}

void PgStatementLeader::check(const StreamRequest& request, const std::vector<TablePtr>&) {
    require_options();
    static_cast<void>(on_scratch(request));
    if (std::ranges::any_of(request.rules.rules, [](const TableRule& rule) { return rule.filter.has_value(); }))
        throw RefusedError{"a filter on the rows needs logical decoding (--capture logical)"};
    if (at_hand() && !options_.database.empty() && options_.database != identify().database)
        throw RefusedError{fmt::format("--log-database {} is not the leader's database ({}): name that one as LEADER, or the state before the log with --log-start", printable(options_.database, 64),
                                       printable(identify().database, 64))};
    scratch().check_usable(request.stream);
    check_is_alike(session(), scratch().session());
    static_cast<void>(session_defaults(session()));  // that they can be told
    if (options_.rows && !scratch().session().query("select rolsuper from pg_catalog.pg_roles where rolname = current_user").boolean(0, 0))
        throw RefusedError{"--on-nondeterministic rows=… puts rows of the leader into the scratch past its foreign keys and triggers: the role needs to be superuser there"};
    if (!at_hand()) return;
    if (session().query("select pg_catalog.pg_is_in_recovery()").boolean(0, 0)) throw RefusedError{"the leader is a standby in recovery: point rowferry at the primary"};
    if (!session().query("select pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')").boolean(0, 0))
        throw RefusedError{"the log alone does not tell when a session's last statement ended: GRANT pg_read_all_stats to the role on the leader"};
    check_has_no_subscription(session());
    const LogSettings settings = log_settings();
    check_shows_xids(settings);
    check_shows_users(settings, role_defaults(session()));
    check_is_its_log(session(), settings, stop_);
}

std::unique_ptr<Snapshot> PgStatementLeader::start(const StreamRequest& request) {
    ScratchState state;
    state.id = random_id(32);
    state.stream = request.stream;
    state.follower_id = request.follower_id;
    state.leader = identify();
    scratch().claim(state);
    spdlog::info("filling the scratch {}", scratch().conninfo().describe());
    if (at_hand()) {
        const MarkedSnapshot marked{conninfo_, application_, stop_};
        state.marker = marked.marker();
        copy_database(conninfo_, marked.exported(), scratch().conninfo(), stop_);
    } else {
        const ExportedSnapshot exported{*options_.start, application_ + "_copy"};
        copy_database(*options_.start, exported.name(), scratch().conninfo(), stop_);
    }
    check_same_extensions(session(), scratch().session());
    state.role_settings = role_defaults(session());
    state.session_settings = session_defaults(session());
    if (at_hand()) state.logging = logging_settings(session());
    scratch().finish_filling(state);
    const StreamRequest inner = on_scratch(request);
    scratch_leader_.reset();  // what it knows is of the empty database
    scratch_leader().check(inner, scratch_leader().select_tables(inner));
    return at_place({}, scratch_leader().start(inner), state.id);
}

std::unique_ptr<Snapshot> PgStatementLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& names) {
    const auto state = own_state();
    if (!state) throw HaltError{fmt::format("the scratch does not hold stream {}. {}", request.stream, kBeginAnew)};
    return at_place(state->position, scratch_leader().snapshot_of(on_scratch(request), names), state->id);
}

std::unique_ptr<LogPlayer> PgStatementLeader::player(PgScratch& scratch, ScratchState state) {
    if (!scratch.lock()) throw RetryableError{fmt::format("another session still runs the log on the scratch {}", scratch.conninfo().describe())};
    if (options_.rows && at_hand()) {
        PgSession rows{*options_.rows, PgRole::leader, application_ + "_rows"};
        const PgRows who = rows.query("select s.system_identifier, current_database() from pg_catalog.pg_control_system() s");
        if (who.text(0, 0) != identify().system || who.text(0, 1) != identify().database)
            throw RefusedError{fmt::format("--on-nondeterministic rows={} is not the leader's database: its rows are needed as they are there", options_.rows->describe())};
    }
    PlayerOptions options{application_, at_hand() ? std::optional{conninfo_} : std::nullopt, options_.rows};
    return std::make_unique<LogPlayer>(scratch, std::move(state), log_settings(), std::move(options), stop_);
}

std::unique_ptr<Source> PgStatementLeader::follow(const StreamRequest& request, const Checkpoint& checkpoint) {
    const std::string at = to_string(PositionKind::log, checkpoint.position);
    const auto resume = PositionedSource::parse_resume(checkpoint.resume);
    auto own = std::make_unique<PgScratch>(scratch().conninfo(), application_);
    auto state = own->state();
    if (!state || !state->filled || state->id != resume.scratch)
        throw RefusedError{fmt::format("the scratch {} is not the one that stream {} was run on up to {}: name that one, or, if it is lost, {}", own->conninfo().describe(), checkpoint.stream, at, kBeginAnew)};
    if (at_hand() && (state->session_settings != session_defaults(session()) || state->role_settings != role_defaults(session())))
        throw HaltError{fmt::format("what sessions of the leader begin with was changed (ALTER ROLE, ALTER DATABASE or its configuration), and the log does not say for which of them. Set it back, or {}", kBeginAnew)};
    if (at_hand() && state->logging != logging_settings(session()))
        throw HaltError{fmt::format("what the leader logs, or the isolation that its sessions begin with, is not what it was when the scratch was filled, and the log does not say since when. Set it back if "
                                    "nobody wrote meanwhile, or {}",
                                    kBeginAnew)};
    if (at_hand()) check_has_no_subscription(session());
    if (!state->leader.same_system(identify())) throw HaltError{fmt::format("the scratch was filled from another leader ({}). {}", to_string(state->leader), kBeginAnew)};
    if (state->position < checkpoint.position)
        throw RefusedError{fmt::format("the scratch is at {}, behind the follower's {}: it was restored from a backup. {}", to_string(PositionKind::log, state->position), at, kBeginAnew)};
    const StreamRequest inner = on_scratch(request);
    Checkpoint below = checkpoint;
    below.capture = CaptureMethod::triggers;
    below.position_kind = PositionKind::sequence;
    below.position = resume.position;
    below.acked = resume.position;
    below.resume = resume.resume;
    // What was copied later than the stream stands is passed over as a whole until it gets there.
    for (TableState& table : below.tables) table.included_to = {};
    for (const TablePtr& table : scratch_leader().select_tables(inner))
        if (table->name == kScratchMarker) below.tables.push_back({table->name, {}, *table});
    auto changes = std::make_unique<PositionedSource>(scratch_leader().follow(inner, below), kScratchMarker, state->id, checkpoint.position, resume.position, resume.resume);
    auto run = player(*own, std::move(*state));
    run->make_durable();
    auto source = std::make_unique<PgStatementSource>(std::move(own), std::move(run), std::move(changes), stop_);
    source_ = source.get();
    return source;
}

/// The end of the log is where everything in it has been run.
Position PgStatementLeader::mark(const StreamRequest&) {
    if (source_ != nullptr) {
        try {
            source_->player().play_to_end();
        } catch (const HaltError& error) {
            // What is whole before it has to arrive: the source stops there by itself.
            spdlog::debug("the log cannot be run to its end: {}", error.what());
            return {~std::uint64_t{0}, ~std::uint64_t{0}};
        }
        return source_->player().state().position;
    }
    PgScratch own{scratch().conninfo(), application_};
    auto state = own.state();
    if (!state || !state->filled || state->stream != stream_) return {};
    const auto run = player(own, std::move(*state));
    run->play_to_end();
    return run->state().position;
}

std::vector<std::string> PgStatementLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    if (!options_.scratch) return {};
    PgScratch own{*options_.scratch, application_};
    const auto state = own.state();
    if (!state || (stream && state->stream != *stream)) return {};
    if (!own.lock()) throw RefusedError{fmt::format("the log of stream {} is being run on the scratch: stop the rowferry that does it first", state->stream)};
    if (dry_run) return {};
    scratch_.reset();
    return own.remove();
}

}  // namespace

std::unique_ptr<Leader> make_pg_statement_leader(PgConninfo conninfo, PgStatementOptions options, const StopSignal& stop, std::string stream) {
    return std::make_unique<PgStatementLeader>(std::move(conninfo), std::move(options), stop, std::move(stream));
}

}  // namespace rowferry
