#include "statements/postgresql/statement_gate.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "statements/postgresql/key_value.h"
#include "statements/postgresql/type_kinds.h"

namespace rowferry {
namespace {

using Fate = Verdict::Fate;

constexpr const char* kOutlives = "a temporary object that outlives its transaction: what later statements of its session mean depends on it";

// What has no part in any table's rows.
constexpr std::array<std::string_view, 19> kQuiet{"VariableShowStmt", "ListenStmt", "NotifyStmt", "UnlistenStmt", "DeallocateStmt", "PrepareStmt", "DiscardStmt", "ClosePortalStmt",
                                                 "FetchStmt", "LockStmt", "TransactionStmt", "CommentStmt", "SecLabelStmt", "CreateStatsStmt", "AlterStatsStmt",
                                                 "AlterOwnerStmt", "ReindexStmt", "ClusterStmt", "VacuumStmt"};
// Roles and the server.
constexpr std::array<std::string_view, 32> kAdministration{
    "CheckPointStmt", "LoadStmt", "CreateRoleStmt", "AlterRoleStmt", "DropRoleStmt", "GrantStmt", "GrantRoleStmt", "AlterDefaultPrivilegesStmt", "CreatedbStmt", "DropdbStmt",
    "AlterDatabaseStmt", "AlterDatabaseRefreshCollStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterTableSpaceOptionsStmt", "ReassignOwnedStmt",
    "CreatePublicationStmt", "AlterPublicationStmt", "DropSubscriptionStmt", "CreateFdwStmt", "AlterFdwStmt", "CreateForeignServerStmt",
    "AlterForeignServerStmt", "CreateUserMappingStmt", "AlterUserMappingStmt", "DropUserMappingStmt", "CreateForeignTableStmt", "ImportForeignSchemaStmt", "CreateAmStmt",
    "RefreshMatViewStmt", "CreatePolicyStmt", "AlterPolicyStmt"};
// What makes and changes objects, run as it stands.
constexpr std::array<std::string_view, 35> kDefinitions{
    "CreateStmt", "AlterTableStmt", "IndexStmt", "RenameStmt", "DropStmt", "ViewStmt", "CreateFunctionStmt", "CreateTrigStmt", "CreateSchemaStmt", "CreateSeqStmt", "AlterSeqStmt", "CreateEnumStmt",
    "AlterEnumStmt", "CompositeTypeStmt", "CreateRangeStmt", "CreateDomainStmt", "AlterDomainStmt", "RuleStmt", "CreateExtensionStmt", "AlterExtensionStmt", "AlterExtensionContentsStmt",
    "AlterObjectSchemaStmt", "AlterObjectDependsStmt", "DefineStmt", "AlterFunctionStmt", "CreateCastStmt", "CreateOpClassStmt", "CreateOpFamilyStmt", "AlterOpFamilyStmt", "AlterTypeStmt",
    "AlterOperatorStmt", "CreateConversionStmt", "CreateTransformStmt", "CreatePLangStmt", "AlterTSConfigurationStmt"};
constexpr std::array<std::string_view, 14> kMeaning{"search_path", "timezone", "datestyle", "intervalstyle", "extra_float_digits", "bytea_output", "xmloption",
                                                   "xmlbinary", "session_replication_role", "default_text_search_config", "check_function_bodies", "transform_null_equals", "array_nulls",
                                                   "standard_conforming_strings"};

// Settings of roles, databases and the server that change neither what statements come to nor what is logged of them.
constexpr std::array<std::string_view, 39> kHarmless{"work_mem", "maintenance_work_mem", "autovacuum_work_mem", "hash_mem_multiplier", "temp_buffers", "temp_file_limit", "statement_timeout", "lock_timeout",
    "deadlock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "application_name", "client_min_messages", "shared_buffers", "effective_cache_size", "random_page_cost", "seq_page_cost",
    "cpu_tuple_cost", "effective_io_concurrency", "maintenance_io_concurrency", "default_statistics_target", "synchronous_commit", "commit_delay", "commit_siblings", "max_connections", "max_wal_size", "min_wal_size",
    "max_wal_senders", "max_replication_slots", "max_worker_processes", "max_parallel_workers", "max_parallel_workers_per_gather", "max_parallel_maintenance_workers", "wal_buffers", "wal_level", "wal_keep_size",
    "password_encryption", "huge_pages", "jit"};
// What set_config() must not touch, because the log, or the order of transactions, is not to be trusted behind it.
constexpr std::array<std::string_view, 13> kLogging{"log_statement", "log_min_duration_statement", "log_min_messages", "log_min_error_statement", "log_error_verbosity", "log_statement_sample_rate",
    "log_transaction_sample_rate", "log_min_duration_sample", "log_parameter_max_length", "lc_messages", "transaction_isolation", "default_transaction_isolation", "session_authorization"};

bool is_harmless(const std::string& setting) {
    return holds(kHarmless, setting) || setting.starts_with("enable_") || setting.starts_with("autovacuum_vacuum_") || setting.starts_with("autovacuum_analyze_") || setting.starts_with("checkpoint_") ||
           setting.starts_with("bgwriter_") || setting.starts_with("tcp_");
}

bool is_dml(std::string_view kind) { return kind == "SelectStmt" || kind == "InsertStmt" || kind == "UpdateStmt" || kind == "DeleteStmt" || kind == "MergeStmt"; }

Verdict refused(std::string why) {
    Verdict verdict;
    verdict.fate = Fate::refused;
    verdict.reason = std::move(why);
    return verdict;
}

std::string listed(const std::vector<std::string>& reasons) {
    constexpr std::size_t kMost = 4;
    std::string text = fmt::format("{}", fmt::join(reasons.begin(), reasons.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, reasons.size())), "; "));
    if (reasons.size() > kMost) text += fmt::format("; and {} more", reasons.size() - kMost);
    return text;
}

void settle(Verdict& verdict) {
    if (!verdict.effects.refused.empty()) {
        verdict.fate = Fate::refused;
        verdict.reason = verdict.effects.refused;
    } else if (!verdict.effects.undetermined.empty()) {
        verdict.fate = Fate::undetermined;
        verdict.reason = listed(verdict.effects.undetermined);
    }
}

/// A transaction cannot make an index that way, and the index is the same.
std::string without_concurrently(std::string sql) {
    std::string lower = sql;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (const auto at = lower.find("concurrently"); at != std::string::npos) sql.erase(at, std::string_view{"concurrently"}.size());
    return sql;
}

/// A BEFORE trigger for each row may give it another key than the statement says.
bool may_change_rows(const CatalogTable& table) {
    constexpr int kRowBefore = 1 | 2;  // pg_trigger.tgtype
    return std::ranges::any_of(table.triggers, [](const auto& trigger) { return (trigger.events & kRowBefore) == kRowBefore; });
}

bool is_on(const std::string& value) { return value.empty() || value == "on" || value == "true" || value == "1" || value == "yes"; }

/// Settings under which nothing can be run again; empty: none of those.
std::string unusable(const std::string& setting, const std::string& value) {
    if (setting == "standard_conforming_strings" && !is_on(value)) return "it changes how string constants are read (standard_conforming_strings)";
    if (setting == "session_replication_role" && value != "origin" && value != "local" && !value.empty()) return "it switches triggers and foreign keys off (session_replication_role)";
    if (setting == "gin_fuzzy_search_limit" && value != "0" && !value.empty()) return "it has indexes return some of the rows (gin_fuzzy_search_limit)";
    if (setting == "search_path" && value.find("pg_temp") != std::string::npos) return "it finds or makes temporary objects before others (pg_temp in the search_path)";
    return {};
}

/// One of those, carried from an earlier transaction.
std::string unusable(const LoggedSession& session) {
    for (const auto& [name, statement] : session.settings) {
        if (name != "standard_conforming_strings" && name != "session_replication_role" && name != "gin_fuzzy_search_limit" && name != "search_path") continue;
        try {
            const SqlFacts facts = read_sql(statement);
            if (const std::string why = unusable(name, facts.value); !why.empty()) return "a setting of its session: " + why;
        } catch (const StatementError&) {
            return "a setting of its session cannot be read";
        }
    }
    return {};
}

/// set_config(…, …, true) ends with the transaction and is run like a SET LOCAL.
bool sets_locally(const SqlFacts& facts) {
    return std::ranges::all_of(facts.calls, [](const SqlCall& call) {
        return call.name.name != "set_config" || (call.constants.size() == 3 && call.constants[2].kind == SqlOperand::Kind::string && (call.constants[2].text == "true" || call.constants[2].text == "t"));
    });
}

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::optional<std::string> value_of(const SqlOperand& operand, const LoggedStatement& statement) {
    if (operand.kind == SqlOperand::Kind::string || operand.kind == SqlOperand::Kind::number) return operand.text;
    const auto place = static_cast<std::size_t>(operand.number - 1);
    return operand.kind == SqlOperand::Kind::parameter && operand.number > 0 && place < statement.parameters.size() ? statement.parameters[place] : std::nullopt;
}

/// set_config() of what the log itself depends on: whatever its session does behind that may not be in the log, so that no later refusal would make up for it.
std::string blinding_config(const SqlFacts& facts, const LoggedStatement& statement) {
    // `SELECT set_config(name, '…', false) FROM pg_settings WHERE name = '…'`, as pg_dump says it: of one setting, if the server has it.
    constexpr std::string_view kWhich = "pg_settings WHERE name = '";
    const std::size_t which = statement.sql.rfind(kWhich);
    const bool one_of_them = facts.calls.size() == 1 && facts.reads.size() == 1 && which != std::string::npos && statement.sql.ends_with('\'');
    const std::string named = one_of_them ? lower_case(statement.sql.substr(which + kWhich.size(), statement.sql.size() - which - kWhich.size() - 1)) : "";
    if (!named.empty() && named.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string::npos) return holds(kLogging, named) ? fmt::format("it changes {} with set_config(), on which the log depends", named) : "";
    for (const SqlCall& call : facts.calls) {
        if (call.name.name != "set_config") continue;
        const auto name = call.constants.size() == 3 ? value_of(call.constants[0], statement) : std::nullopt;
        if (!name) return "it changes a setting with set_config(), its text does not say which, and it may be one of what is logged";
        if (holds(kLogging, lower_case(*name))) return fmt::format("it changes {} with set_config(), on which the log depends", lower_case(*name));
    }
    return {};
}

/// What set_config() is told to set has to stand there.
std::string unusable_config(const SqlFacts& facts, const LoggedStatement& statement) {
    const auto text = [&](const SqlOperand& operand) { return value_of(operand, statement); };
    for (const SqlCall& call : facts.calls) {
        if (call.name.name != "set_config" || call.constants.size() != 3) continue;
        const auto name = text(call.constants[0]);
        const auto value = text(call.constants[1]);
        if (!name || !value) return "it changes settings with set_config(), and its text does not say which";
        const std::string lower = lower_case(*name);
        if (const std::string why = unusable(lower, *value); !why.empty()) return why;
    }
    return {};
}

}  // namespace

bool StatementGate::matters(const std::string& setting) { return setting.find('.') != std::string::npos || holds(kMeaning, setting); }

Verdict StatementGate::judge(const LoggedStatement& statement, const LoggedSession& session) {
    try {
        const SqlFacts facts = read_sql(statement.sql);
        Verdict verdict = facts.kind == "ExecuteStmt" ? judge_execute(facts, statement, session) : judge_parsed(facts, statement, session);
        if (verdict.sql.empty()) verdict.sql = statement.sql;
        const bool writes = verdict.fate == Fate::run || verdict.fate == Fate::undetermined;
        if (!writes) return verdict;
        if (!verdict.sets && unsettled_.contains(session.id)) return refused("its session changed settings with set_config(), so that the log does not say under which it ran");
        if (const std::string why = unusable(session); !why.empty()) return refused(why);
        const bool backslashes = facts.backslashes || (!statement.prepared.empty() && read_sql(statement.prepared).backslashes);
        // What is prepared was read under the settings of that time.
        if (backslashes && (statement.extended || !statement.prepared.empty() || !EffectFinder::is_set(session, "standard_conforming_strings")))
            return refused("a string constant has a backslash, and the log does not say the session's standard_conforming_strings: write E'…', or SET standard_conforming_strings = on when the session begins");
        return verdict;
    } catch (const StatementError& error) {
        return refused(error.what);
    }
}

/// What is prepared, with the values that EXECUTE gives it.
Verdict StatementGate::judge_execute(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session) {
    if (statement.prepared.empty()) return refused("an EXECUTE whose PREPARE is not in the log");
    LoggedStatement inner = statement;
    inner.parameters.clear();
    bool constant = true;
    for (const SqlOperand& argument : facts.arguments) {
        const bool known = argument.kind == SqlOperand::Kind::number || argument.kind == SqlOperand::Kind::string || argument.kind == SqlOperand::Kind::null;
        constant = constant && known;
        inner.parameters.push_back(argument.kind == SqlOperand::Kind::null || !known ? std::nullopt : std::optional{argument.text});
    }
    const SqlFacts prepared = read_sql(statement.prepared);  // PREPARE … AS: its facts are those of what it prepares
    Verdict verdict = judge_parsed(prepared, inner, session);
    verdict.prepared = statement.prepared;
    if (verdict.fate != Fate::run) return verdict;
    if (!constant) verdict.effects.undetermined.emplace_back("an expression given to EXECUTE");
    // A type that PREPARE names is what the text is read as.
    const bool zone = EffectFinder::is_set(session, "timezone");
    for (std::size_t i = 0; i < facts.arguments.size() && i < prepared.given.size(); ++i) {
        const SqlOperand& argument = facts.arguments[i];
        if (argument.kind != SqlOperand::Kind::string) continue;
        if (const auto doubt = type_kinds::literal_doubt(catalog_.type(prepared.given[i]), argument.text, zone, true)) verdict.effects.undetermined.push_back(*doubt);
    }
    settle(verdict);
    return verdict;
}

Verdict StatementGate::judge_parsed(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session) {
    Verdict verdict;
    if (facts.explains) {
        verdict.fate = Fate::skip;
        return verdict;
    }
    // EXPLAIN and PREPARE hold a statement: what it is made of is what counts.
    const bool prepares = facts.kind == "PrepareStmt" && !statement.prepared.empty();
    if (!is_dml(facts.kind) && !prepares) return judge_utility(facts, statement, session);
    if (facts.into_table && facts.temporary) return refused(kOutlives);
    verdict.effects = finder_.find(facts, statement, session);
    const bool writes = !verdict.effects.writes.empty() || verdict.effects.writes_unknown;
    if (const std::string why = verdict.effects.changes_settings ? blinding_config(facts, statement) : ""; !why.empty()) return refused(why);
    const std::string unusable = verdict.effects.changes_settings ? unusable_config(facts, statement) : "";
    // What that session writes from here on is refused.
    if (!writes && (verdict.effects.settings_inside || !unusable.empty() || (verdict.effects.changes_settings && !sets_locally(facts)))) {
        unsettled_.insert(session.id);
        verdict.fate = Fate::skip;
        return verdict;
    }
    if (!unusable.empty()) return refused(unusable);
    if (verdict.effects.changes_settings && !sets_locally(facts)) return refused("it changes the session's settings with set_config()");
    const bool changes = writes || verdict.effects.changes_settings || facts.into_table;
    if (!changes) {
        verdict.fate = Fate::skip;
        if (!verdict.effects.refused.empty() && verdict.effects.refused.find("large objects") != std::string::npos) settle(verdict);
        // An INSERT into a table that is not there would be an error on the leader, too: running it tells.
        if (facts.kind != "SelectStmt" && !prepares) verdict.fate = Fate::run;
        return verdict;
    }
    verdict.sets = verdict.effects.changes_settings;
    if (facts.into_table) verdict.changes_catalog = true;
    settle(verdict);
    if (facts.into_table) check_definition(facts, session, verdict);
    return verdict;
}

Verdict StatementGate::judge_setting(const SqlFacts& facts, const LoggedSession& session) {
    Verdict verdict;
    const auto carried = [&](const auto& setting) { return matters(setting.first) && (facts.setting == "*" || facts.setting == setting.first); };
    verdict.fate = facts.setting == "*" || matters(facts.setting) ? Fate::run : Fate::skip;
    verdict.sets = true;
    if (const std::string why = unusable(facts.setting, facts.value); !why.empty()) return refused(why);
    // Behind it the session has what its connection brought along.
    if (facts.resets && std::ranges::any_of(session.settings, carried)) return refused("it takes settings of its session back in the middle of a transaction, and the log does not say what they were before");
    return verdict;
}

/// Makers of objects: what their constants and names mean is settled now, and holds for later.
void StatementGate::check_definition(const SqlFacts& facts, const LoggedSession& session, Verdict& verdict) {
    if (verdict.fate == Fate::refused) return;
    if (facts.into_table && verdict.fate == Fate::undetermined) {
        verdict = refused(fmt::format("it makes a table of what cannot be told from the log, because it depends on {}", verdict.reason));
        return;
    }
    if (catalog_.has_event_triggers()) {
        verdict = refused("event triggers see it, whose effects are not followed");
        return;
    }
    const Effects constants = finder_.find_definition(facts, session);
    if (!constants.undetermined.empty()) {
        verdict = refused(fmt::format("a constant in it is read now and holds for later, and depends on {}", constants.undetermined.front()));
        return;
    }
    const bool named = !facts.names.empty() && std::ranges::none_of(facts.names, [](const SqlName& name) { return name.schema.empty(); }) &&
                       std::ranges::all_of(facts.reads, [&](const SqlName& name) { return !name.schema.empty() || catalog_.tables(name).size() == 1; });
    if (!named && !EffectFinder::is_set(session, "search_path") && catalog_.has_schemas())
        verdict = refused("there are several schemas, and the log does not say the session's search_path: name the schema, or SET search_path");
}

Verdict StatementGate::judge_utility(const SqlFacts& facts, const LoggedStatement& statement, const LoggedSession& session) {
    Verdict verdict;
    const std::string& kind = facts.kind;
    if (holds(kQuiet, kind)) {
        verdict.fate = Fate::skip;
        return verdict;
    }
    if (holds(kAdministration, kind)) {
        verdict.fate = Fate::skip;
        verdict.administration = true;
        return verdict;
    }
    if (kind == "CreateEventTrigStmt" || kind == "AlterEventTrigStmt") return refused("event triggers are not followed");
    if (kind == "CreateSubscriptionStmt" || kind == "AlterSubscriptionStmt") return refused("a subscription's rows are in no log: capture by triggers or logical decoding");
    if ((kind == "CreateExtensionStmt" || kind == "AlterExtensionStmt") && !facts.versioned) return refused("it does not say which version of the extension it makes: name it (VERSION, UPDATE TO)");
    if (kind == "AlterRoleSetStmt" || kind == "AlterDatabaseSetStmt" || kind == "AlterSystemStmt") {
        if (is_harmless(facts.setting)) {
            verdict.fate = Fate::skip;
            verdict.administration = true;
            return verdict;
        }
        return refused(fmt::format("it changes {} for sessions that begin later, and the log does not say when they began", printable(facts.setting, 64)));
    }
    if (kind == "VariableSetStmt") return judge_setting(facts, session);
    if (kind == "ConstraintsSetStmt") return verdict;
    if (kind == "CopyStmt" || kind == "DeclareCursorStmt") {
        if (facts.stdin_copy) return refused("the rows of COPY … FROM STDIN are in no log");
        if (facts.reads_file) return refused("the rows of a COPY from a file or program are in no log");
        verdict.fate = Fate::skip;
        verdict.effects = finder_.find(facts, statement, session);
        if (verdict.effects.changes_settings || verdict.effects.settings_inside) return refused("a query of COPY or a cursor changes settings");
        const bool changes = !verdict.effects.writes.empty() || verdict.effects.writes_unknown;
        return changes ? refused(kind == "CopyStmt" ? "COPY of a query that changes rows" : "a cursor over a query that changes rows") : verdict;
    }
    if (kind == "TruncateStmt") {
        verdict.effects = finder_.find_truncate(facts, session);
        verdict.truncates = true;
        settle(verdict);
        return verdict;
    }
    if (kind == "DoStmt" || kind == "CallStmt") {
        verdict.effects = finder_.find_routine(facts, statement, session);
        if (verdict.effects.changes_settings) return refused("it changes settings with set_config()");
        settle(verdict);
        return verdict;
    }
    if (kind == "CreateTableAsStmt") {
        SqlFacts query = facts;
        query.kind = "InsertStmt";
        verdict.effects = finder_.find(query, statement, session);
    } else if (!holds(kDefinitions, kind)) {
        return refused(fmt::format("statements of this kind ({}) are not known to the gate", kind));
    }
    const bool temporary = facts.temporary || std::ranges::any_of(facts.names, [](const SqlName& name) { return name.schema.starts_with("pg_temp"); });
    if (temporary && !facts.dropped_at_commit) return refused(kOutlives);
    verdict.changes_catalog = true;
    if (kind == "AlterTableStmt") {
        // A new column's default fills the rows that are there.
        verdict.effects = finder_.find_alteration(facts, statement, session);
    }
    if (facts.concurrently) verdict.sql = without_concurrently(statement.sql);
    settle(verdict);
    check_definition(facts, session, verdict);
    return verdict;
}

/// Rows that an INSERT makes: their key, where it is written out. A table without keys has nothing that two rows could want.
void StatementGate::touch_insert(const CatalogTable& table, const SqlTarget& target, const LoggedStatement& statement, const std::string& unique, std::uint32_t index, std::vector<Touch>& touches) {
    const std::string object = to_string(table.root);
    const auto whole = [&] { touches.push_back({object, "", "", TouchMode::inserts, true, index}); };
    if (target.from_query || target.on_conflict != SqlTarget::OnConflict::none || table.in_tree || table.other_keys || target.rows.empty() || may_change_rows(table)) return whole();
    for (std::size_t row = 0; row < target.rows.size(); ++row) {
        if (table.keys.empty()) {
            touches.push_back({object, "(a new row)", fmt::format("{}.{}.{}", unique, index, row), TouchMode::inserts, true, index});
            continue;
        }
        const CatalogTable::Key& key = table.keys.front();
        std::string value;
        for (const std::string& name : key.columns) {
            const auto column = std::ranges::find(table.columns, name, &CatalogTable::Column::name);
            auto place = static_cast<std::size_t>(column - table.columns.begin());
            if (!target.columns.empty()) place = static_cast<std::size_t>(std::ranges::find(target.columns, name) - target.columns.begin());
            const auto part = place < target.rows[row].size() ? key_value(*column, target.rows[row][place], statement.parameters) : std::nullopt;
            if (!part) return whole();
            value += fmt::format("{}:{}", part->size(), *part);
        }
        touches.push_back({object, key.index, value, TouchMode::inserts, true, index});
    }
}

void StatementGate::touch_targets(const SqlFacts& facts, const LoggedStatement& statement, const std::string& unique, std::uint32_t index, std::vector<Touch>& touches) {
    for (const SqlTarget& target : facts.targets)
        for (const auto& table : catalog_.tables(target.table)) {
            const bool changes = target.op != SqlTarget::Op::lock;
            if (target.op == SqlTarget::Op::insert) {
                touch_insert(*table, target, statement, unique, index, touches);
                continue;
            }
            const std::string object = to_string(table->root);
            const CatalogTable::Key* pinned = nullptr;
            std::string value;
            for (const CatalogTable::Key& key : table->keys) {
                value.clear();
                const bool all = !table->in_tree && std::ranges::all_of(key.columns, [&](const std::string& name) {
                    const auto pin = std::ranges::find(target.pins, name, &SqlPin::column);
                    const auto part = pin == target.pins.end() ? std::nullopt : key_value(*table->column(name), pin->value, statement.parameters);
                    if (part) value += fmt::format("{}:{}", part->size(), *part);
                    return part.has_value();
                });
                if (!all) continue;
                pinned = &key;
                break;
            }
            const bool sets_key = target.op == SqlTarget::Op::update && std::ranges::any_of(table->keys, [&](const CatalogTable::Key& key) {
                return std::ranges::any_of(key.columns, [&](const std::string& name) { return holds(target.columns, name); });
            });
            const bool rewritten = target.op == SqlTarget::Op::update && may_change_rows(*table);
            if (pinned == nullptr || sets_key || rewritten || table->other_keys || target.op == SqlTarget::Op::merge) {
                touches.push_back({object, "", "", target.op == SqlTarget::Op::update && sets_key ? TouchMode::inserts : TouchMode::reads, changes, index});
                continue;
            }
            const bool only = target.only_pins && target.pins.size() == pinned->columns.size();
            touches.push_back({object, pinned->index, value, only ? TouchMode::locks : TouchMode::reads, changes, index});
        }
}

/// A definition may change what any other statement does. Tables of quite new names, and indexes that hold nobody off, do so only for those who name them.
void StatementGate::touch_definitions(const SqlFacts& facts, std::uint32_t index, bool changes, std::vector<Touch>& touches) {
    const auto fresh = [&](const SqlName& name) { return catalog_.tables({"", name.name}).empty() && !facts.common.contains(name.name); };
    // CREATE TABLE IF NOT EXISTS, as applications say whenever they start.
    if (facts.stands_alone && facts.if_not_exists && !facts.names.empty() && !fresh(facts.names.front()) && !catalog_.has_schemas()) changes = false;
    const bool named_only = facts.kind == "IndexStmt" ? !facts.unique : facts.stands_alone && !facts.names.empty() && fresh(facts.names.front());
    touches.push_back({kDefinitionsObject, "", "", TouchMode::reads, changes && !named_only, index});
    const auto touch = [&](const SqlName& name, bool writes) { touches.push_back({"(table) " + name.name, "", "", TouchMode::reads, writes, index}); };
    for (const SqlName& name : facts.reads)
        if (fresh(name)) touch(name, changes);
    for (const SqlTarget& target : facts.targets)
        if (fresh(target.table)) touch(target.table, changes);
}

std::vector<Touch> StatementGate::touches(const LoggedTransaction& transaction) {
    std::vector<Touch> touches;
    const std::string unique = fmt::format("{}.{}", transaction.session->id, transaction.begin.offset);
    bool writes = false;
    for (std::uint32_t index = 0; index < transaction.statements.size(); ++index) {
        const LoggedStatement& statement = transaction.statements[index];
        const auto before = unsettled_;
        const Verdict verdict = judge(statement, *transaction.session);
        unsettled_ = before;
        if (verdict.fate != Fate::skip) writes = true;
        try {
            const SqlFacts facts = read_sql(statement.prepared.empty() ? statement.sql : statement.prepared);
            const bool setting = facts.kind == "VariableSetStmt" || facts.kind == "ConstraintsSetStmt";
            if (verdict.fate != Fate::skip && !setting) touch_definitions(facts, index, verdict.changes_catalog, touches);
            // What EXECUTE gives its parameters is not looked into: then no key is pinned.
            if (verdict.fate != Fate::skip || !facts.targets.empty()) touch_targets(facts, statement, unique, index, touches);
        } catch (const StatementError&) {
        }
        if (verdict.fate == Fate::skip) continue;
        const auto root = [&](const TableName& name) {
            const auto& found = catalog_.tables({name.schema, name.name});
            return to_string(found.empty() ? name : found.front()->root);
        };
        for (const TableName& table : verdict.effects.reads) touches.push_back({root(table), "", "", TouchMode::reads, false, index});
        for (const TableName& table : verdict.effects.indirect) touches.push_back({root(table), "", "", TouchMode::reads, true, index});
        const bool blind = verdict.effects.writes_unknown || (verdict.fate == Fate::refused && verdict.effects.writes.empty());
        for (const TableName& table : blind ? catalog_.all_tables() : std::vector<TableName>{}) touches.push_back({root(table), "", "", TouchMode::reads, true, index});
        if (verdict.changes_catalog || verdict.truncates)
            for (const TableName& table : verdict.effects.writes) touches.push_back({root(table), "", "", TouchMode::reads, true, index});
    }
    if (!writes) touches.clear();
    return touches;
}

}  // namespace rowferry
