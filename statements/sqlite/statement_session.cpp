#include "statements/sqlite/statement_session.h"

#include <chrono>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/sqlite/busy_timeout.h"
#include "statements/sqlite/pinned_clock.h"

namespace rowferry {
namespace {

constexpr std::int64_t kMostRandomBytes = 16 * 1024 * 1024;

StatementSession& session_of(sqlite3_context* context) { return *static_cast<StatementSession*>(sqlite3_user_data(context)); }

void random_function(sqlite3_context* context, int, sqlite3_value**) { session_of(context).give_random(context); }
void random_blob_function(sqlite3_context* context, int, sqlite3_value** arguments) { session_of(context).give_random_blob(context, arguments[0]); }
void changes_function(sqlite3_context* context, int, sqlite3_value**) { session_of(context).give_changes(context); }

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void random_bytes(void* bytes, std::size_t size) {
    if (::getrandom(bytes, size, 0) != static_cast<ssize_t>(size)) throw RetryableError{"the system gives no random numbers"};
}

/// While one of these lives, SQLite's random numbers, which are the process's, are those of a seed. From them it draws rowids where a table's largest one is taken.
class SeededNumbers {
public:
    SeededNumbers(RecordedStatement* statement, bool record) : statement_{statement}, record_{record} {
        if (statement_ == nullptr || (!record_ && !statement_->seed)) {
            statement_ = nullptr;
            return;
        }
        if (record_) {
            random_bytes(&seed_, sizeof seed_);
            seed_ = (seed_ & 0x7FFFFFFF) | 1;
            begin(seed_);
            sqlite3_randomness(sizeof first_, &first_);
        } else {
            seed_ = static_cast<int>(*statement_->seed);
        }
        begin(seed_);
    }
    ~SeededNumbers() {
        if (statement_ == nullptr) return;
        std::uint64_t next = 0;
        sqlite3_randomness(sizeof next, &next);
        if (record_ && next != first_) statement_->seed = seed_;
        begin(0);
    }
    SeededNumbers(const SeededNumbers&) = delete;
    SeededNumbers& operator=(const SeededNumbers&) = delete;

private:
    static void begin(int seed) { sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, seed, static_cast<sqlite3*>(nullptr)); }
    RecordedStatement* statement_;
    bool record_;
    int seed_ = 0;
    std::uint64_t first_ = 0;
};

/// SQLite quotes what it stumbled over: a piece of the statement, so perhaps of a value. What a constraint says is the schema's.
std::string without_quotations(const std::string& message, int code) {
    if ((code & 0xFF) == SQLITE_CONSTRAINT) return message;
    const std::size_t from = message.find_first_of("\"'");
    const std::size_t to = from == std::string::npos ? from : message.rfind(message[from]);
    return to == from ? message : message.substr(0, from + 1) + "…" + message.substr(to);
}

bool only_space(std::string_view text) { return text.find_first_not_of(" \t\n\f\r;") == std::string_view::npos; }

}  // namespace

bool reads_as_on(SqliteDatabase& db, const char* pragma) { return db.query_integer(fmt::format("PRAGMA {}", pragma)) != 0; }

std::string to_string(const SessionSettings& settings) {
    std::string text;
    const auto add = [&](bool on, const char* name) {
        if (on) text += fmt::format("{}{}", text.empty() ? "" : ",", name);
    };
    add(settings.foreign_keys, "foreign_keys");
    add(settings.recursive_triggers, "recursive_triggers");
    add(settings.ignore_check_constraints, "ignore_check_constraints");
    add(settings.legacy_alter_table, "legacy_alter_table");
    return text;
}

SessionSettings parse_session_settings(std::string_view text) {
    SessionSettings settings;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view name = text.substr(0, comma);
        if (name == "foreign_keys")
            settings.foreign_keys = true;
        else if (name == "recursive_triggers")
            settings.recursive_triggers = true;
        else if (name == "ignore_check_constraints")
            settings.ignore_check_constraints = true;
        else if (name == "legacy_alter_table")
            settings.legacy_alter_table = true;
        else
            throw HaltError{fmt::format("the statement log speaks of a setting \"{}\" that this rowferry does not know", printable(name, 60))};
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return settings;
}

StatementSession::StatementSession(const std::string& path, Inputs inputs)
    : db_{path, SqliteDatabase::Mode::read_write, pinned_clock_vfs()}, inputs_{inputs}, digest_{db_}, gate_{db_} {
    forbid_local_time();
    db_.set_busy_timeout(kBusyTimeoutMs);
    const auto define = [&](const char* name, int arguments, void (*function)(sqlite3_context*, int, sqlite3_value**)) {
        const int code = sqlite3_create_function_v2(db_.handle(), name, arguments, SQLITE_UTF8 | SQLITE_INNOCUOUS, this, function, nullptr, nullptr, nullptr);
        if (code != SQLITE_OK) db_.fail(code, "functions");
    };
    define("random", 0, random_function);
    define("randomblob", 1, random_blob_function);
    define("changes", 0, changes_function);
}

StatementSession::~StatementSession() = default;

void StatementSession::fail(int code) {
    const int actual = sqlite3_extended_errcode(db_.handle()) != SQLITE_OK ? sqlite3_extended_errcode(db_.handle()) : code;
    if ((actual & 0xFF) == SQLITE_INTERRUPT) throw InterruptedError{"stopped by a signal"};
    const std::string message = sqlite3_errmsg(db_.handle());
    const int offset = sqlite3_error_offset(db_.handle());
    if (gate_.denied()) throw RefusedError{*gate_.denied()};
    if (message.find("local time unavailable") != std::string::npos)
        throw RefusedError{"'localtime' and 'utc' depend on the time zone of the machine: keep times in UTC"};
    std::string shown = without_quotations(message, actual);
    if (shown != message) {
        spdlog::debug("SQLite: {}", printable(message));
        shown += offset < 0 ? " (--log-level debug shows what it is)" : fmt::format(" (at byte {} of the statement; --log-level debug shows it)", offset);
    }
    throw SqliteError{actual, printable(shown)};
}

StatementSession::Prepared StatementSession::prepare(const std::string& sql) {
    gate_.open();
    if (sql.find('\0') != std::string::npos) throw UsageError{"it holds a NUL byte"};
    sqlite3_stmt* statement = nullptr;
    const char* tail = nullptr;
    const int code = sqlite3_prepare_v3(db_.handle(), sql.c_str(), static_cast<int>(sql.size() + 1), 0, &statement, &tail);
    Prepared prepared{std::unique_ptr<sqlite3_stmt, Finalize>{statement}, false};
    gate_.close();
    if (code != SQLITE_OK) fail(code);
    if (!prepared.statement) return prepared;
    if (!only_space(std::string_view{sql}.substr(static_cast<std::size_t>(tail - sql.c_str())))) throw UsageError{"it is more than one statement"};
    prepared.reads_only = sqlite3_stmt_readonly(statement) != 0;
    return prepared;
}

void StatementSession::require_determined(const std::string& sql, bool checked) {
    if (const auto objection = gate_.objection(sql, checked)) throw RefusedError{*objection};
}

void StatementSession::bind(sqlite3_stmt* statement, const std::vector<SqlValue>& values) {
    const auto wanted = static_cast<std::size_t>(sqlite3_bind_parameter_count(statement));
    if (values.size() < wanted) throw UsageError{fmt::format("it has {} parameter(s), and values for {}", wanted, values.size())};
    for (std::size_t i = 0; i < wanted; ++i) {
        const int index = static_cast<int>(i + 1);
        const int code = std::visit(
            [&]<typename Value>(const Value& value) {
                if constexpr (std::is_same_v<Value, std::monostate>)
                    return sqlite3_bind_null(statement, index);
                else if constexpr (std::is_same_v<Value, std::int64_t>)
                    return sqlite3_bind_int64(statement, index, value);
                else if constexpr (std::is_same_v<Value, double>)
                    return sqlite3_bind_double(statement, index, value);
                else if constexpr (std::is_same_v<Value, std::string>)
                    return sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
                else
                    return sqlite3_bind_blob64(statement, index, value.bytes.data(), value.bytes.size(), SQLITE_STATIC);
            },
            values[i]);
        if (code != SQLITE_OK) fail(code);
    }
}

void StatementSession::run(const Prepared& prepared, RecordedStatement& statement, bool with_record, const OnRow& on_row) {
    sqlite3_stmt* handle = prepared.statement.get();
    bind(handle, statement.parameters);
    if (with_record && inputs_ == Inputs::record) {
        statement.clock_ms = now_ms();
        statement.randoms.emplace();
    }
    PinnedClock clock{with_record ? statement.clock_ms : std::optional{now_ms()}};
    current_ = with_record ? &statement : nullptr;
    given_ = 0;
    undetermined_.clear();
    int code = SQLITE_ROW;
    {
        const SeededNumbers seeded{current_, inputs_ == Inputs::record};
        // Compiled anew behind a change of the schema, and asked about again.
        struct Open {
            SqliteStatementGate& gate;
            RecordedStatement*& current;
            ~Open() {
                gate.close();
                current = nullptr;
            }
        };
        const bool changes_schema = gate_.changes_schema();
        const Open open{gate_, current_};
        if (!changes_schema) gate_.open();
        while ((code = sqlite3_step(handle)) == SQLITE_ROW)
            if (on_row) on_row(handle);
    }
    if (with_record && clock.asked() && !statement.clock_ms)
        throw RefusedError{"it asks for the present time, by itself or by a default, trigger or view, and the log does not have it"};
    if (!undetermined_.empty()) throw RefusedError{undetermined_};
    if (code != SQLITE_DONE) fail(code);
    if (with_record && inputs_ == Inputs::given && statement.randoms && given_ != statement.randoms->size())
        throw HaltError{"it asked for fewer random values than it did on the leader: the rows or the SQLite version are not the same"};
    if (prepared.reads_only) return;
    changed_ = true;
    changes_ = sqlite3_changes64(db_.handle());
}

const SqlValue* StatementSession::next_given(sqlite3_context* context, const char* function) {
    if (!current_->randoms)
        undetermined_ = fmt::format("it calls {}, by itself or by a default, trigger or view, and the log does not have what that gave", function);
    else if (given_ == current_->randoms->size())
        undetermined_ = "it asks for more random values than it did on the leader: the rows or the SQLite version are not the same";
    else
        return &(*current_->randoms)[given_++];
    sqlite3_result_error(context, undetermined_.c_str(), -1);
    return nullptr;
}

void StatementSession::give_random(sqlite3_context* context) {
    std::int64_t value = 0;
    if (current_ == nullptr || inputs_ == Inputs::record) {
        random_bytes(&value, sizeof value);
        if (current_ != nullptr) current_->randoms->emplace_back(value);
        return sqlite3_result_int64(context, value);
    }
    const SqlValue* given = next_given(context, "random()");
    if (given == nullptr) return;
    if (const auto* number = std::get_if<std::int64_t>(given)) return sqlite3_result_int64(context, *number);
    undetermined_ = "it asks for random values in another order than on the leader: the rows or the SQLite version are not the same";
    sqlite3_result_error(context, undetermined_.c_str(), -1);
}

void StatementSession::give_random_blob(sqlite3_context* context, sqlite3_value* size) {
    const std::int64_t bytes = std::max<std::int64_t>(sqlite3_value_int64(size), 1);
    if (bytes > kMostRandomBytes) return sqlite3_result_error_toobig(context);
    if (current_ == nullptr || inputs_ == Inputs::record) {
        std::string value(static_cast<std::size_t>(bytes), '\0');
        random_bytes(value.data(), value.size());
        sqlite3_result_blob64(context, value.data(), value.size(), SQLITE_TRANSIENT);
        if (current_ != nullptr) current_->randoms->emplace_back(SqlBlob{std::move(value)});
        return;
    }
    const SqlValue* given = next_given(context, "randomblob()");
    if (given == nullptr) return;
    if (const auto* blob = std::get_if<SqlBlob>(given); blob != nullptr && blob->bytes.size() == static_cast<std::size_t>(bytes))
        return sqlite3_result_blob64(context, blob->bytes.data(), blob->bytes.size(), SQLITE_TRANSIENT);
    undetermined_ = "it asks for random values in another order than on the leader: the rows or the SQLite version are not the same";
    sqlite3_result_error(context, undetermined_.c_str(), -1);
}

/// Between two transactions our own statements have run on this connection.
void StatementSession::give_changes(sqlite3_context* context) {
    if (current_ == nullptr && !changed_) return sqlite3_result_int64(context, changes_);
    if (changed_) return sqlite3_result_int64(context, sqlite3_changes64(db_.handle()));
    undetermined_ = "changes() speaks of what an earlier transaction did: use it in the same one";
    sqlite3_result_error(context, undetermined_.c_str(), -1);
}

SessionSettings StatementSession::settings() {
    return {reads_as_on(db_, "foreign_keys"), reads_as_on(db_, "recursive_triggers"), reads_as_on(db_, "ignore_check_constraints"), reads_as_on(db_, "legacy_alter_table")};
}

void StatementSession::apply(const SessionSettings& settings) {
    const auto set = [&](const char* pragma, bool on) { db_.execute(fmt::format("PRAGMA {} = {}", pragma, on ? 1 : 0)); };
    set("foreign_keys", settings.foreign_keys);
    set("recursive_triggers", settings.recursive_triggers);
    set("ignore_check_constraints", settings.ignore_check_constraints);
    set("legacy_alter_table", settings.legacy_alter_table);
    if (this->settings() != settings) throw HaltError{"SQLite did not take the settings that the statements ran with"};
}

}  // namespace rowferry
