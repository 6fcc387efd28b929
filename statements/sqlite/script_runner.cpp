#include "statements/sqlite/script_runner.h"

#include <algorithm>

#include <fmt/format.h>

#include "db/sqlite_schema.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

/// Statements wait in memory up to this size, in bytes, so that what they see of changes() stays as it is.
constexpr std::size_t kMostKept = 16 * 1024 * 1024;

std::size_t size_of(const RecordedStatement& statement) {
    std::size_t bytes = sizeof statement + statement.sql.size();
    const auto add = [&](const std::vector<SqlValue>& values) {
        for (const SqlValue& value : values) {
            bytes += sizeof value;
            if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
            if (const auto* blob = std::get_if<SqlBlob>(&value)) bytes += blob->bytes.size();
        }
    };
    add(statement.parameters);
    if (statement.randoms) add(*statement.randoms);
    return bytes;
}

constexpr std::string_view kStatesOnly[] = {"foreign_keys", "recursive_triggers", "ignore_check_constraints", "legacy_alter_table"};

bool is_setting(const std::string& name) {
    return std::ranges::any_of(kStatesOnly, [&](std::string_view each) { return same_sqlite_name(name, each); });
}

bool writes_by_pragma(const std::string& name) {
    return same_sqlite_name(name, "defer_foreign_keys") || same_sqlite_name(name, "user_version") || same_sqlite_name(name, "application_id");
}

}  // namespace

ScriptRunner::ScriptRunner(const std::string& leader, std::string name, std::vector<GivenParameter> parameters, OnRow on_row)
    : name_{std::move(name)},
      parameters_{std::move(parameters)},
      on_row_{std::move(on_row)},
      session_{leader, StatementSession::Inputs::record},
      trail_{leader} {
    // The log in WAL mode stays where it is, so that the next one of us can tell that nobody else has written meanwhile.
    sqlite3_db_config(session_.db().handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    if (sqlite3_db_readonly(session_.db().handle(), "main") == 1) throw RefusedError{fmt::format("{}: the file is read-only", printable(leader))};
    if (statement_log_installed(session_.db())) return;  // a newer layout is found before anything is run
}

ScriptRunner::~ScriptRunner() { roll_back(); }

void ScriptRunner::run(std::string_view sql, std::uint64_t line) {
    try {
        run_one(std::string{sql}, line);
        ++statements_;
    } catch (const Error& error) {
        fail(line, error);
    }
}

/// Behind a commit nobody may run the script again as it is: that is for a person.
void ScriptRunner::fail(std::uint64_t line, const Error& error) {
    const bool was_open = open_;
    roll_back();
    const bool retried = transactions_ == 0 || error.kind() == ErrorKind::interrupted;
    std::string what = fmt::format("{}, line {}: {}", printable(name_), line, error.what());
    if (was_open) what += "; its transaction was rolled back";
    if (transactions_ > 0) what += fmt::format("; committed before, and not to be run again: {} transaction(s)", transactions_);
    throw Error{retried ? error.kind() : ErrorKind::halted, what};
}

void ScriptRunner::run_one(const std::string& sql, std::uint64_t line) {
    using Kind = ScriptVerb::Kind;
    const ScriptVerb verb = script_verb(sql);
    switch (verb.kind) {
        case Kind::begin:
            if (open_) throw UsageError{"a transaction cannot begin within another one: use SAVEPOINT"};
            return begin(verb.exclusive);
        case Kind::commit:
            if (!open_) throw UsageError{"there is no transaction to commit"};
            return commit();
        case Kind::rollback:
            if (!open_) throw UsageError{"there is no transaction to roll back"};
            return roll_back();
        case Kind::savepoint:
            if (!open_) {
                begin(false);
                by_savepoint_ = true;
            }
            record(sql, line);
            return savepoints_.open(verb.name);
        case Kind::release:
            record(sql, line);
            savepoints_.release(verb.name);
            if (by_savepoint_ && savepoints_.empty()) commit();
            return;
        case Kind::rollback_to:
            record(sql, line);
            savepoints_.roll_back_to(verb.name);
            return;
        case Kind::pragma: return pragma(sql, verb, line);
        case Kind::vacuum: throw RefusedError{"VACUUM may number rows anew, and cannot be in the transaction of a statement log"};
        case Kind::other: break;
    }
    const StatementSession::Prepared prepared = session_.prepare(sql);
    if (!prepared.statement) return;
    if (!prepared.reads_only) return change(sql, line, prepared);
    RecordedStatement statement{sql, values_for(prepared.statement.get()), {}, {}, {}, line};
    session_.run(prepared, statement, false, on_row_);
}

void ScriptRunner::change(const std::string& sql, std::uint64_t line, const StatementSession::Prepared& prepared) {
    session_.require_determined(sql, true);
    const bool alone = !open_;
    if (alone) begin(false);
    RecordedStatement statement{sql, values_for(prepared.statement.get()), {}, {}, {}, line};
    session_.run(prepared, statement, true, on_row_);
    keep(std::move(statement));
    if (alone) commit();
}

/// Settings of the connection are kept with each transaction; what a pragma writes into the file is a statement like others.
void ScriptRunner::pragma(const std::string& sql, const ScriptVerb& verb, std::uint64_t line) {
    const StatementSession::Prepared prepared = session_.prepare(sql);
    if (!prepared.statement) return;
    if (verb.assigns && is_setting(verb.name) && open_) throw RefusedError{fmt::format("PRAGMA {} is for outside of a transaction", printable(verb.name, 60))};
    if (verb.assigns && writes_by_pragma(verb.name)) {
        if (!open_ && same_sqlite_name(verb.name, "defer_foreign_keys")) return;  // of no effect there
        return change(sql, line, prepared);
    }
    RecordedStatement statement{sql, {}, {}, {}, {}, line};
    session_.run(prepared, statement, false, on_row_);
}

/// SAVEPOINT and its relatives.
void ScriptRunner::record(const std::string& sql, std::uint64_t line) {
    const StatementSession::Prepared prepared = session_.prepare(sql);
    RecordedStatement statement{sql, {}, {}, {}, {}, line};
    session_.run(prepared, statement, false, {});
    kept_bytes_ += size_of(statement);
    kept_.push_back(std::move(statement));
}

void ScriptRunner::begin(bool exclusive) {
    SqliteDatabase& db = session_.db();
    start_.settings = session_.settings();
    start_.last_insert_rowid = sqlite3_last_insert_rowid(db.handle());
    db.execute(exclusive ? "BEGIN EXCLUSIVE" : "BEGIN IMMEDIATE");
    open_ = true;
    by_savepoint_ = recorded_ = false;
    kept_.clear();
    kept_bytes_ = 0;
    write_.emplace(db, trail_);
    session_.begin_transaction();
    session_.digest().begin();
    const bool captured = db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_change'") != 0;
    change_log_end_ = captured ? db.query_integer("SELECT max(seq) FROM main.rowferry_change") : -1;
}

void ScriptRunner::keep(RecordedStatement statement) {
    recorded_ = true;
    kept_bytes_ += size_of(statement);
    kept_.push_back(std::move(statement));
    // What is in the log already would go with a ROLLBACK TO.
    if (kept_bytes_ > kMostKept && savepoints_.empty()) write_kept();
}

void ScriptRunner::write_kept() {
    const std::int64_t rowid = sqlite3_last_insert_rowid(session_.db().handle());
    for (const RecordedStatement& statement : kept_) write_->add(statement);
    kept_.clear();
    kept_bytes_ = 0;
    sqlite3_set_last_insert_rowid(session_.db().handle(), rowid);
    session_.begin_transaction();  // what changes() says now is ours
}

/// Where another stream captures by triggers: the tags that its triggers did without.
void ScriptRunner::fill_tags() {
    if (change_log_end_ < 0 || session_.db().query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_change'") == 0) return;
    SqliteStatement fill = session_.db().prepare("UPDATE main.rowferry_change SET tag = random() WHERE seq > ?1 AND tag IS NULL");
    fill.bind(1, change_log_end_).run();
}

void ScriptRunner::commit() {
    SqliteDatabase& db = session_.db();
    if (recorded_) {
        const std::int64_t rowid = sqlite3_last_insert_rowid(db.handle());
        write_kept();
        fill_tags();
        static_cast<void>(write_->finish(start_, session_.digest().text()));
        sqlite3_set_last_insert_rowid(db.handle(), rowid);
    }
    // A constraint that was put off fails here, and the transaction stays open.
    db.execute("COMMIT");
    if (recorded_) ++transactions_;
    open_ = false;
    write_.reset();
    savepoints_.clear();
    session_.begin_transaction();
}

void ScriptRunner::roll_back() noexcept {
    session_.db().rollback();
    open_ = false;
    write_.reset();
    savepoints_.clear();
    kept_.clear();
}

void ScriptRunner::finish() {
    if (!open_) return;
    roll_back();
    throw HaltError{fmt::format("{}: it ends inside a transaction, which was rolled back: a COMMIT is missing", printable(name_))};
}

std::vector<SqlValue> ScriptRunner::values_for(sqlite3_stmt* statement) const {
    std::vector<SqlValue> values;
    const int count = sqlite3_bind_parameter_count(statement);
    std::vector<const GivenParameter*> unnamed;
    for (const GivenParameter& parameter : parameters_)
        if (parameter.name.empty()) unnamed.push_back(&parameter);
    for (int i = 1; i <= count; ++i) {
        const char* text = sqlite3_bind_parameter_name(statement, i);
        const std::string name = text == nullptr ? "" : text;
        const auto index = static_cast<std::size_t>(i - 1);
        if (name.empty() || name.starts_with('?')) {
            if (index >= unnamed.size()) throw UsageError{fmt::format("parameter {} has no value: give one with --param", i)};
            values.push_back(unnamed[index]->value);
            continue;
        }
        const auto found = std::find_if(parameters_.begin(), parameters_.end(), [&](const GivenParameter& parameter) { return parameter.name == name; });
        if (found == parameters_.end()) throw UsageError{fmt::format("parameter {} has no value: give one with --param {}=…", printable(name, 60), printable(name, 60))};
        values.push_back(found->value);
    }
    return values;
}

}  // namespace rowferry
