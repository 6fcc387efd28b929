#include "applier/postgresql/pg_follower.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_checkpoint_store.h"
#include "applier/postgresql/pg_copy_lane.h"
#include "applier/postgresql/pg_copy_target.h"
#include "applier/postgresql/pg_quarantine_store.h"
#include "applier/postgresql/pg_target_check.h"
#include "applier/postgresql/pg_shared_link.h"
#include "applier/postgresql/pg_sink.h"
#include "applier/postgresql/pg_stream_lock.h"
#include "applier/postgresql/pg_table_copier.h"
#include "applier/postgresql/pg_table_maker.h"
#include "db/pg_link.h"
#include "db/pg_session.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/standby_names.h"

namespace rowferry {
namespace {

/// Two connections: the control session (catalog, DDL, checkpoints outside the sink) and the link (lock, COPY, pipeline). A clone runs on
/// the link alone, as it is one transaction.
class PgFollower : public Follower {
public:
    PgFollower(PgConninfo conninfo, const StopSignal& stop) : conninfo_{std::move(conninfo)}, stop_{stop} {}
    ~PgFollower() override { close_link(); }
    PgFollower(const PgFollower&) = delete;
    PgFollower& operator=(const PgFollower&) = delete;

    [[nodiscard]] Engine engine() const override { return Engine::postgresql; }
    [[nodiscard]] std::string describe() const override { return conninfo_.describe(); }
    void open(bool create) override;
    bool is_same_database(Leader& leader) override;
    void lock(const std::string& stream, std::chrono::milliseconds patience) override;
    std::vector<Checkpoint> load_checkpoints() override { return pg_checkpoints::load(control()); }
    std::vector<QuarantinedTable> quarantined(const std::string& stream) override { return pg_quarantine::counts(control(), stream); }
    std::vector<std::string> check_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                          const Checkpoint* unfinished) override;
    void start_copy(const Checkpoint& initial, const std::vector<TablePtr>& tables, const FollowerOptions& options) override;
    void start_clone(const std::vector<TablePtr>& tables, const FollowerOptions& options) override;
    std::unique_ptr<CopyTarget> copy_into(const TablePtr& table) override;
    std::unique_ptr<CopyLane> copy_lane() override;
    void set_next_number(const TablePtr& table, std::uint16_t column, std::int64_t next) override;
    void finish_copy(const Checkpoint& ready, const std::vector<TablePtr>& tables) override;
    void finish_clone(const std::vector<TablePtr>& tables) override;
    std::string binary_obstacle(const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Sink> open_sink(const Checkpoint& checkpoint, const FollowerOptions& options) override;
    std::unique_ptr<TableCopier> copier(const std::string& stream) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    enum class Copying { none, tables, whole };

    [[nodiscard]] std::string application_name() const { return stream_.empty() ? "rowferry" : "rowferry_" + stream_; }
    PgRun control();
    PgLink& link();
    void close_link();
    PgTargetCheck preflight();
    static void prepare_quarantine(const PgRun& run, const std::string& stream, const std::vector<TablePtr>& tables);
    pg_tables::PgMade prepare(const PgRun& run, const std::vector<TablePtr>& tables, const PgMakePlan& plan,
                              const std::map<TableName, PgTarget>& existing);

    PgConninfo conninfo_;
    const StopSignal& stop_;
    std::unique_ptr<PgSession> session_;
    std::shared_ptr<PgSharedLink> link_ = std::make_shared<PgSharedLink>();
    bool replica_role_ = false;  // known once a connection is open
    std::string stream_;         // whose lock we hold on the link
    std::chrono::milliseconds patience_ = kLockPatience;  // with whoever holds its lock
    Copying copying_ = Copying::none;
    bool copy_started_ = false;  // between start_copy and finish_copy of a stream
    std::string copying_stream_;
    pg_tables::PgMade made_;
    std::vector<PgNextNumber> next_numbers_;
};

/// Keeps triggers and foreign keys out of the way of replicated rows, where the role may do that. Asked first: a refused SET would leave an
/// error in the server's log with every connection.
bool silence_triggers(const PgRun& run) {
    const bool grantable = run("SELECT current_setting('server_version_num')::int >= 150000").boolean(0, 0);
    const PgRows allowed = run(grantable ? "SELECT has_parameter_privilege('session_replication_role', 'SET')"
                                         : "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user");
    if (allowed.empty() || !allowed.boolean(0, 0)) return false;
    run("SET session_replication_role = replica");
    return true;
}

/// What both connections need besides the common settings.
bool prepare_connection(const PgRun& run, const std::string& application) {
    // What is reported to the leader as durable has to be: a follower that commits without waiting for its disk does not do that. A
    // server that is follower and leader at once may list this stream as its standby: it would wait for us, and we for it.
    if (run("SHOW synchronous_commit").text(0, 0) == "off" ||
        standby_names_list(run("SHOW synchronous_standby_names").text(0, 0), application))
        run("SET synchronous_commit = local");
    // A backend whose client is gone must not keep the stream's lock, neither while it works nor while it waits for the network.
    run("SET client_connection_check_interval = '1s'");
    run("SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3");
    // Row values would get into the context of errors.
    run("SET log_parameter_max_length_on_error = 0");
    return silence_triggers(run);
}

/// The control session, opened again if it was lost.
PgRun PgFollower::control() {
    if (session_) {
        try {
            session_->query("SELECT 1");
        } catch (const PgError&) {
            session_.reset();
        }
    }
    if (!session_) {
        auto session = std::make_unique<PgSession>(conninfo_, PgRole::follower, application_name());
        replica_role_ = prepare_connection(run_on(*session), application_name());
        session_ = std::move(session);
    }
    return run_on(*session_);
}

/// The link, opened again if it was lost, with the stream's lock.
PgLink& PgFollower::link() {
    if (PGconn* connection = link_->link ? link_->link->get() : nullptr; connection != nullptr && PQstatus(connection) == CONNECTION_OK &&
                                                                         PQpipelineStatus(connection) == PQ_PIPELINE_OFF &&
                                                                         PQtransactionStatus(connection) == PQTRANS_IDLE) {
        try {
            link_->link->query("SELECT 1");
            return *link_->link;
        } catch (const PgError&) {
            // Lost while it was idle.
        }
    }
    // Whoever took the lock meanwhile may have begun the copy anew.
    if (std::exchange(copy_started_, false)) throw RetryableError{"the connection that held the stream's lock was lost during the copy"};
    close_link();
    auto link = std::make_unique<PgLink>(conninfo_, PgLink::Kind::sql, PgRole::follower, application_name(), stop_);
    replica_role_ = prepare_connection(run_on(*link), application_name());
    if (!stream_.empty()) take_stream_lock(run_on(*link), stream_, patience_, stop_);
    link_->link = std::move(link);
    return *link_->link;
}

void PgFollower::close_link() {
    link_->link.reset();
    link_ = std::make_shared<PgSharedLink>();
}

PgTargetCheck PgFollower::preflight() {
    PgRun run = control();
    const std::string role = run("SELECT quote_ident(current_user)").text(0, 0);
    return {std::move(run), replica_role_, role};
}

void PgFollower::open(bool) {
    const PgRun run = control();
    if (session_->server_version() < 140000) throw RefusedError{fmt::format("{}: the server is older than PostgreSQL 14", describe())};
    if (run("SELECT pg_is_in_recovery()").boolean(0, 0))
        throw RefusedError{fmt::format("{}: the server is a standby and takes no writes", describe())};
}

bool PgFollower::is_same_database(Leader& leader) {
    if (leader.engine() != Engine::postgresql) return false;
    const PgRun run = control();
    try {
        const PgRows own = run("SELECT system_identifier, current_database() FROM pg_catalog.pg_control_system()");
        const LeaderIdentity other = leader.identify();
        return own.text(0, 0) == other.system && own.text(0, 1) == other.database;
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw;
        // Not allowed to ask who the server is: the address has to do.
        return leader.describe() == describe();
    }
}

void PgFollower::lock(const std::string& stream, std::chrono::milliseconds patience) {
    if (stream_ == stream && link_->link) {
        link();
        return;
    }
    close_link();
    stream_ = stream;
    patience_ = patience;
    try {
        link();
    } catch (...) {
        stream_.clear();
        throw;
    }
    control()(fmt::format("SET application_name = {}", quote_literal(application_name())));
}

std::vector<std::string> PgFollower::check_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options,
                                                  const Checkpoint* unfinished) {
    return preflight().check(tables, options, unfinished);
}

/// Inside a transaction: makes what is missing and empties the rest. Returns what was made now.
pg_tables::PgMade PgFollower::prepare(const PgRun& run, const std::vector<TablePtr>& tables, const PgMakePlan& plan,
                                      const std::map<TableName, PgTarget>& existing) {
    pg_tables::make(run, plan, PgKeys::after_rows);
    pg_tables::empty(run, existing);
    // Without the right, a foreign key that exists already is checked at each commit: then only the whole copy can be one.
    const bool keyed = std::any_of(existing.begin(), existing.end(), [](const auto& entry) { return !entry.second.foreign_keys.empty(); });
    copying_ = keyed && !replica_role_ && tables.size() > 1 ? Copying::whole : Copying::tables;
    next_numbers_.clear();
    pg_tables::PgMade made;
    made.keys = PgKeys::after_rows;
    for (const PgMakePlan::Table& table : plan.tables) made.tables.insert(table.name);
    for (const PgMakePlan::Table& parent : plan.parents)
        if (!plan.facts.relations.contains(parent.name)) made.parents.insert(parent.name);
    return made;
}

/// The side table begins empty with the copy, and is made where a table of the stream may need it.
void PgFollower::prepare_quarantine(const PgRun& run, const std::string& stream, const std::vector<TablePtr>& tables) {
    pg_quarantine::clear(run, stream);
    if (std::any_of(tables.begin(), tables.end(), [](const TablePtr& table) { return quarantines(*table); })) pg_quarantine::create_table(run);
}

void PgFollower::start_copy(const Checkpoint& initial, const std::vector<TablePtr>& tables, const FollowerOptions&) {
    const PgTargetCheck looked = preflight();
    const auto existing = read_targets(looked.run, PgTargetCheck::names(tables));
    const PgMakePlan plan = looked.plan_missing(tables, existing);
    auto made = pg_checkpoints::made_tables(looked.run, initial.stream);

    PgTransaction transaction{*session_};
    take_copy_lock(looked.run, initial.stream, stop_);
    pg_checkpoints::create_tables(looked.run);
    prepare_quarantine(looked.run, initial.stream, tables);
    made_ = prepare(looked.run, tables, plan, existing);
    for (const TablePtr& table : tables) {
        const TableName name = follower_table(*table, Engine::postgresql);
        // What an unfinished copy of this stream made is ours still.
        if (existing.contains(name) && made[table->name]) {
            made_.tables.insert(name);
            for (const TableSchema& parent : table->ancestors) made_.parents.insert(follower_table(parent, Engine::postgresql));
        }
        made[table->name] = made_.tables.contains(name);
    }
    Checkpoint checkpoint = initial;
    checkpoint.state = CheckpointState::copying;
    pg_checkpoints::write(looked.run, checkpoint, made);
    transaction.commit();
    if (copying_ == Copying::whole) link().query("BEGIN; SET CONSTRAINTS ALL DEFERRED");
    copy_started_ = !stream_.empty();
    copying_stream_ = initial.stream;
}

void PgFollower::start_clone(const std::vector<TablePtr>& tables, const FollowerOptions&) {
    const PgTargetCheck looked = preflight();
    const auto existing = read_targets(looked.run, PgTargetCheck::names(tables));
    const PgMakePlan plan = looked.plan_missing(tables, existing);
    for (const TablePtr& table : tables)
        if (quarantines(*table))
            throw RefusedError{fmt::format("{}: on-mismatch = quarantine needs a stream, which keeps the side table: a clone has none. Use stop or null",
                                           to_string(table->name))};
    PgLink& connection = link();
    connection.query("BEGIN; SET CONSTRAINTS ALL DEFERRED");
    made_ = prepare(run_on(connection), tables, plan, existing);
    copying_ = Copying::whole;
}

std::unique_ptr<CopyTarget> PgFollower::copy_into(const TablePtr& table) {
    if (copying_ == Copying::none) throw std::logic_error{"copy_into before start_copy"};
    // In a whole copy the link holds the transaction, and with it perhaps the table itself.
    if (copying_ != Copying::whole) link();
    return open_pg_copy_target(link_, table, copying_ == Copying::tables, copying_stream_);
}

std::unique_ptr<CopyLane> PgFollower::copy_lane() {
    if (copying_ != Copying::tables) return nullptr;
    auto link = std::make_unique<PgLink>(conninfo_, PgLink::Kind::sql, PgRole::follower, application_name() + "_copy", stop_);
    prepare_connection(run_on(*link), application_name());
    share_copy_lock(run_on(*link), copying_stream_);
    return std::make_unique<PgCopyLane>(std::move(link), copying_stream_);
}

void PgFollower::set_next_number(const TablePtr& table, std::uint16_t column, std::int64_t next) {
    next_numbers_.push_back({follower_table(*table, Engine::postgresql), table->columns.at(column).name, next});
}

void PgFollower::finish_copy(const Checkpoint& ready, const std::vector<TablePtr>& tables) {
    if (copying_ == Copying::whole) link_->link->query("COMMIT");
    copying_ = Copying::none;
    link();
    copy_started_ = false;
    const PgRun run = control();
    std::map<TableName, bool> made;
    for (const TablePtr& table : tables) made[table->name] = made_.tables.contains(follower_table(*table, Engine::postgresql));
    PgTransaction transaction{*session_};
    if (run(fmt::format("SELECT FROM rowferry.checkpoint WHERE stream = {} AND follower_id = {} AND state = 'copying' FOR UPDATE",
                        quote_literal(ready.stream), quote_literal(ready.follower_id)))
            .empty())
        throw HaltError{fmt::format("stream {}: the checkpoint of this copy was removed or changed by somebody else: start again", ready.stream)};
    pg_tables::finish(run, tables, made_, replica_role_);
    pg_tables::set_next_numbers(run, next_numbers_);
    Checkpoint checkpoint = ready;
    checkpoint.state = CheckpointState::ready;
    pg_checkpoints::write(run, checkpoint, made);
    transaction.commit();
}

void PgFollower::finish_clone(const std::vector<TablePtr>& tables) {
    const PgRun run = run_on(*link_->link);
    pg_tables::finish(run, tables, made_, replica_role_);
    pg_tables::set_next_numbers(run, next_numbers_);
    link_->link->query("COMMIT");
    copying_ = Copying::none;
}

std::string PgFollower::binary_obstacle(const std::vector<TablePtr>& tables) {
    const auto existing = read_targets(control(), PgTargetCheck::names(tables));
    for (const TablePtr& table : tables) {
        const auto found = existing.find(follower_table(*table, Engine::postgresql));
        if (found == existing.end()) return to_string(table->name) + " is not there";
        for (const ColumnSchema& column : table->columns) {
            const PgTargetColumn* const target = found->second.column(column.name);
            const std::string why = target == nullptr ? fmt::format("there is no column {}", printable(column.name, 80)) : rowferry::binary_obstacle(column, *target);
            if (!why.empty()) return fmt::format("{}: {}", to_string(table->name), why);
        }
    }
    return {};
}

std::unique_ptr<Sink> PgFollower::open_sink(const Checkpoint& checkpoint, const FollowerOptions& options) {
    const PgTargetCheck looked = preflight();
    std::vector<TableName> names;
    for (const TableState& table : checkpoint.tables) names.push_back(follower_table(table.shape, Engine::postgresql));
    auto existing = read_targets(looked.run, names);
    std::vector<PgSinkTable> tables;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const TableState& table = checkpoint.tables[i];
        const auto found = existing.find(names[i]);
        PgSinkTable& sink = tables.emplace_back(PgSinkTable{table.shape, {}, table.included_to, {}});
        if (found == existing.end()) {
            sink.unfit = fmt::format("{}: the follower's table is gone. Run `rowferry drop` for the stream and start again to copy anew", to_string(names[i]));
        } else {
            sink.follower = found->second;
            sink.unfit = fmt::format("{}", fmt::join(looked.problems(table.shape, found->second), "; "));
        }
        // Perhaps for a change of the leader's that comes first in the stream, and stopped it before.
        if (!sink.unfit.empty()) spdlog::warn("{}", sink.unfit);
    }
    if (std::any_of(tables.begin(), tables.end(), [](const PgSinkTable& table) { return quarantines(table.leader); }))
        pg_quarantine::create_table(looked.run);
    stream_ = checkpoint.stream;
    link();
    return std::make_unique<PgSink>(link_, checkpoint, std::move(tables), !replica_role_,
                                    PgShapePolicy{options.ddl, [this](const std::string& sql) { return control()(sql); }});
}

std::unique_ptr<TableCopier> PgFollower::copier(const std::string& stream) {
    return std::make_unique<PgTableCopier>(PgTableCopier::Access{[this] { return control(); }, [this] { return preflight(); },
                                                                 [this] {
                                                                     link();
                                                                     return link_;
                                                                 }},
                                           stream);
}

std::vector<std::string> PgFollower::drop(const std::optional<std::string>& stream, bool dry_run) {
    const PgRun run = control();
    std::vector<std::string> streams;
    if (stream)
        streams.push_back(*stream);
    else
        for (const Checkpoint& checkpoint : pg_checkpoints::load(run)) streams.push_back(checkpoint.stream);
    // On the session, and given back with it: the link's lock is a running stream's.
    for (const std::string& name : streams)
        if (name != stream_) take_stream_lock(run, name, kLockPatience, stop_);
    PgTransaction transaction{*session_};
    std::vector<std::string> removed = pg_checkpoints::drop(run, streams, dry_run);
    transaction.commit();
    for (const std::string& name : streams)
        if (name != stream_) release_stream_lock(run, name);
    return removed;
}

}  // namespace

std::unique_ptr<Follower> make_pg_follower(PgConninfo conninfo, const StopSignal& stop) {
    return std::make_unique<PgFollower>(std::move(conninfo), stop);
}

}  // namespace rowferry
