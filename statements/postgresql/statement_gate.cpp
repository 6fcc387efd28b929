#include "statements/postgresql/statement_gate.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/holds.h"
#include "schemas/identifier.h"
#include "statements/postgresql/key_value.h"

namespace rowferry {
namespace {

using Fate = Verdict::Fate;

// What has no part in any table's rows.
constexpr std::array<std::string_view, 20> kQuiet{"VariableShowStmt", "ListenStmt", "NotifyStmt", "UnlistenStmt", "DeallocateStmt", "PrepareStmt", "DiscardStmt", "ClosePortalStmt",
                                                 "FetchStmt", "DeclareCursorStmt", "LockStmt", "TransactionStmt", "CommentStmt", "SecLabelStmt", "CreateStatsStmt", "AlterStatsStmt",
                                                 "AlterOwnerStmt", "ReindexStmt", "ClusterStmt", "VacuumStmt"};
// Roles and the server.
constexpr std::array<std::string_view, 36> kAdministration{
    "CheckPointStmt", "LoadStmt", "CreateRoleStmt", "AlterRoleStmt", "DropRoleStmt", "GrantStmt", "GrantRoleStmt", "AlterDefaultPrivilegesStmt", "CreatedbStmt", "DropdbStmt",
    "AlterDatabaseStmt", "AlterDatabaseRefreshCollStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt", "AlterTableSpaceOptionsStmt", "ReassignOwnedStmt",
    "CreatePublicationStmt", "AlterPublicationStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt", "CreateFdwStmt", "AlterFdwStmt", "CreateForeignServerStmt",
    "AlterForeignServerStmt", "CreateUserMappingStmt", "AlterUserMappingStmt", "DropUserMappingStmt", "CreateForeignTableStmt", "ImportForeignSchemaStmt", "CreateEventTrigStmt",
    "AlterEventTrigStmt", "CreateAmStmt", "CreatePolicyStmt", "AlterPolicyStmt"};
// What makes and changes objects, run as it stands.
constexpr std::array<std::string_view, 36> kDefinitions{
    "CreateStmt", "AlterTableStmt", "IndexStmt", "RenameStmt", "DropStmt", "ViewStmt", "CreateFunctionStmt", "CreateTrigStmt", "CreateSchemaStmt", "CreateSeqStmt", "AlterSeqStmt", "CreateEnumStmt",
    "AlterEnumStmt", "CompositeTypeStmt", "CreateRangeStmt", "CreateDomainStmt", "AlterDomainStmt", "RuleStmt", "CreateExtensionStmt", "AlterExtensionStmt", "AlterExtensionContentsStmt",
    "AlterObjectSchemaStmt", "AlterObjectDependsStmt", "DefineStmt", "AlterFunctionStmt", "CreateCastStmt", "CreateOpClassStmt", "CreateOpFamilyStmt", "AlterOpFamilyStmt", "AlterTypeStmt",
    "AlterOperatorStmt", "CreateConversionStmt", "CreateTransformStmt", "RefreshMatViewStmt", "CreatePLangStmt", "AlterTSConfigurationStmt"};
constexpr std::array<std::string_view, 12> kMeaning{"search_path", "timezone", "datestyle", "intervalstyle", "extra_float_digits", "bytea_output", "xmloption",
                                                   "xmlbinary", "session_replication_role", "default_text_search_config", "check_function_bodies", "transform_null_equals"};

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

/// set_config(…, …, true) ends with the transaction and is run like a SET LOCAL.
bool sets_locally(const SqlFacts& facts) {
    return std::ranges::all_of(facts.calls, [](const SqlCall& call) {
        return call.name.name != "set_config" || (call.constants.size() == 3 && call.constants[2].kind == SqlOperand::Kind::string && (call.constants[2].text == "true" || call.constants[2].text == "t"));
    });
}

}  // namespace

bool StatementGate::matters(const std::string& setting) { return setting.find('.') != std::string::npos || holds(kMeaning, setting); }

Verdict StatementGate::judge(const LoggedStatement& statement, const LoggedSession& session) {
    try {
        const SqlFacts facts = read_sql(statement.sql);
        Verdict verdict;
        if (facts.kind == "ExecuteStmt") {
            if (statement.prepared.empty()) return refused("an EXECUTE whose PREPARE is not in the log");
            LoggedStatement inner = statement;
            const auto as = read_sql(statement.prepared);  // PREPARE … AS: its facts are those of what it prepares
            verdict = judge_parsed(as, inner, session);
            verdict.prepared = statement.prepared;
        } else {
            verdict = judge_parsed(facts, statement, session);
        }
        if (verdict.sql.empty()) verdict.sql = statement.sql;
        const bool writes = verdict.fate == Fate::run || verdict.fate == Fate::undetermined;
        if (writes && !verdict.sets && unsettled_.contains(session.id))
            return refused("its session changed settings with set_config(), so that the log does not say under which it ran");
        return verdict;
    } catch (const StatementError& error) {
        return refused(error.what);
    }
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
    verdict.effects = finder_.find(facts, statement, session);
    if (verdict.effects.changes_settings && !sets_locally(facts)) {
        if (verdict.effects.writes.empty()) {
            unsettled_.insert(session.id);
            verdict.fate = Fate::skip;
            return verdict;
        }
        return refused("it changes the session's settings with set_config()");
    }
    const bool changes = !verdict.effects.writes.empty() || verdict.effects.writes_unknown || verdict.effects.changes_settings || facts.into_table;
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
    return verdict;
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
    if (kind == "AlterRoleSetStmt" || kind == "AlterDatabaseSetStmt") {
        if (facts.setting.empty() || !matters(facts.setting)) {
            verdict.fate = Fate::skip;
            verdict.administration = true;
            return verdict;
        }
        return refused(fmt::format("it changes {} for sessions that begin later, and the log does not say when they began", printable(facts.setting, 64)));
    }
    if (kind == "VariableSetStmt") {
        verdict.fate = facts.setting == "*" || matters(facts.setting) ? Fate::run : Fate::skip;
        verdict.sets = true;
        const bool on = facts.value == "on" || facts.value == "true" || facts.value == "1" || facts.value == "yes" || facts.value.empty();
        if (facts.setting == "standard_conforming_strings" && !on) return refused("it changes how string constants are read");
        return verdict;
    }
    if (kind == "ConstraintsSetStmt") return verdict;
    if (kind == "CopyStmt") {
        if (facts.stdin_copy) return refused("the rows of COPY … FROM STDIN are in no log");
        if (facts.reads_file) return refused("the rows of a COPY from a file or program are in no log");
        verdict.fate = Fate::skip;
        return facts.targets.empty() ? verdict : refused("COPY of what a changing statement returns");
    }
    if (kind == "TruncateStmt") {
        verdict.effects = finder_.find_truncate(facts, session);
        settle(verdict);
        return verdict;
    }
    if (kind == "DoStmt" || kind == "CallStmt") {
        verdict.effects = finder_.find_routine(facts, statement, session);
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
    if (facts.temporary && !facts.dropped_at_commit) return refused("a temporary table that outlives its transaction: what later statements of its session mean depends on it");
    verdict.changes_catalog = true;
    if (kind == "AlterTableStmt") {
        // A new column's default fills the rows that are there.
        SqlFacts table = facts;
        table.kind = "UpdateStmt";
        verdict.effects = finder_.find(table, statement, session);
        verdict.effects.reads.clear();
        for (const SqlName& name : facts.reads)
            for (const auto& each : finder_.resolve(name, verdict.effects)) verdict.effects.writes.insert(each->name);
    }
    if (facts.concurrently) verdict.sql = without_concurrently(statement.sql);
    settle(verdict);
    return verdict;
}

/// Rows that an INSERT makes: their key, where it is written out. A table without keys has nothing that two rows could want.
void StatementGate::touch_insert(const CatalogTable& table, const SqlTarget& target, const LoggedStatement& statement, const std::string& unique, std::uint32_t index, std::vector<Touch>& touches) {
    const std::string object = to_string(table.root);
    const auto whole = [&] { touches.push_back({object, "", "", TouchMode::inserts, true, index}); };
    if (target.from_query || target.on_conflict != SqlTarget::OnConflict::none || table.in_tree || table.other_keys || target.rows.empty()) return whole();
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
            if (pinned == nullptr || sets_key || table->other_keys || target.op == SqlTarget::Op::merge) {
                touches.push_back({object, "", "", target.op == SqlTarget::Op::update && sets_key ? TouchMode::inserts : TouchMode::reads, changes, index});
                continue;
            }
            const bool only = target.only_pins && target.pins.size() == pinned->columns.size();
            touches.push_back({object, pinned->index, value, only ? TouchMode::locks : TouchMode::reads, changes, index});
        }
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
        if (verdict.changes_catalog)
            for (const TableName& table : verdict.effects.writes) touches.push_back({root(table), "", "", TouchMode::reads, true, index});
    }
    if (!writes) touches.clear();
    return touches;
}

}  // namespace rowferry
