#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "schemas/contained_sql.h"
#include "schemas/conversion.h"
#include "schemas/identifier.h"
#include "schemas/pg_ddl.h"
#include "schemas/pg_parts.h"
#include "schemas/pg_plan.h"
#include "schemas/pg_type_ddl.h"

namespace rowferry {
namespace {

using Table = PgMakePlan::Table;

std::string attach(const Table& table) {
    const TableSchema& leader = *table.leader;
    // A partitioned table's own ancestors are not kept with it: it hangs below its parent.
    const TableName parent = follower_table(leader.parents.empty() ? leader.ancestors.back().name : leader.parents.front(), leader.engine, Engine::postgresql);
    return fmt::format("ALTER TABLE {} ATTACH PARTITION {} {}", quote_table(parent), quote_table(table.name), contained_sql(leader.name, leader.partition_bound));
}

/// Whether the check comes from a table above that the follower has as well.
bool comes_from_above(const PgMakePlan& plan, const Table& table, const CheckConstraint& check) {
    if (!check.inherited) return false;
    if (table.attached) return true;
    return std::ranges::any_of(table.leader->parents, [&](const TableName& parent) { return plan.find(parent) != nullptr; });
}

/// Chooses names for indexes: the leader's, with a number behind it where another relation has that name. Empty (the server chooses) for names
/// that SQLite made up, and for those that a number could make too long: characters must not be cut in half.
class IndexNames {
public:
    explicit IndexNames(const PgMakePlan& plan) : taken_{plan.facts.relations} {
        for (const Table& table : plan.tables) taken_.insert(table.name);
    }
    std::string choose(const std::string& schema, const std::string& name) {
        if (name.empty() || name.starts_with("sqlite_autoindex_") || name.size() > 60) return "";
        std::string free = name;
        for (int number = 1; !taken_.insert({schema, free}).second; ++number) free = fmt::format("{}_{}", name, number);
        return free;
    }
    [[nodiscard]] bool taken(const std::string& schema, const std::string& name) const { return taken_.contains({schema, name}); }

private:
    std::set<TableName> taken_;
};

std::string described(const TableName& table, std::string_view kind, const std::string& name) {
    return fmt::format("{}: the {} {}", to_string(table), kind, printable(name, 80));
}

/// SQLite: a unique key that compares otherwise than PostgreSQL gets a unique index that compares like the leader. That of the primary key
/// has to be made here, as the constraint cannot do it.
void add_folded_key(const Table& table, std::vector<PgDdlStep>& steps) {
    const TableSchema& leader = *table.leader;
    const bool special = std::any_of(leader.primary_key.begin(), leader.primary_key.end(),
                                     [&](std::uint16_t column) { return compares_specially(leader, nullptr, column); });
    if (!special) return;
    IndexSchema index;
    index.unique = true;
    index.columns = leader.primary_key;
    steps.push_back({pg_create_index(table.name, leader, index, "")});
}

void add_indexes(const Table& table, IndexNames& names, bool parent, std::vector<PgDdlStep>& steps) {
    const TableSchema& leader = *table.leader;
    // A partitioned table's index takes those of its partitions along, which are there already.
    const auto skip = [&](const std::string& name) { return parent && names.taken(table.name.schema, name); };
    for (const IndexSchema& index : leader.indexes) {
        if (index.definition.empty() && index.columns == leader.primary_key && index.unique) continue;
        if (skip(index.name)) continue;
        const std::string sql = pg_create_index(table.name, leader, index, names.choose(table.name.schema, index.name));
        const bool certain = index.definition.empty() || index.unique;
        steps.push_back({sql, certain ? "" : described(table.name, "index", index.name)});
    }
    if (leader.engine == Engine::postgresql)
        for (const ExpressionIndex& index : leader.expression_indexes)
            if (!skip(index.name))
                steps.push_back({pg_create_index(table.name, index, names.choose(table.name.schema, index.name)),
                                 described(table.name, index.constraint ? "constraint" : "index", index.name)});
    for (const PgParts::Index& index : pg_parts(leader, table.types).indexes) {
        const std::string name = names.choose(table.name.schema, index.name);
        steps.push_back({fmt::format("CREATE {}INDEX {}{}ON {} {}", index.unique ? "UNIQUE " : "", name.empty() ? "" : quote_identifier(name), name.empty() ? "" : " ",
                                     quote_table(table.name), index.body),
                         described(table.name, "index", index.name)});
    }
    add_folded_key(table, steps);
}

void add_checks(const PgMakePlan& plan, const Table& table, std::vector<PgDdlStep>& steps) {
    // Of a SQLite leader only those that say the same of every value the columns here can hold.
    if (table.leader->engine == Engine::sqlite) {
        for (const CheckConstraint& check : pg_parts(*table.leader, table.types).checks)
            steps.push_back({fmt::format("ALTER TABLE {} ADD {}CHECK ({})", quote_table(table.name), check.name.empty() ? "" : "CONSTRAINT " + quote_identifier(check.name) + " ", check.expression),
                             described(table.name, "check", check.name)});
        return;
    }
    for (const CheckConstraint& check : table.leader->checks)
        if (!comes_from_above(plan, table, check)) steps.push_back({pg_add_check(table.name, check), described(table.name, "check", check.name)});
}

void add_comments(const Table& table, std::vector<PgDdlStep>& steps) {
    const TableSchema& leader = *table.leader;
    const auto add = [&](const std::string& object, const std::string& comment) {
        if (!comment.empty()) steps.push_back({fmt::format("COMMENT ON {} IS {}", object, quote_literal(comment))});
    };
    add("TABLE " + quote_table(table.name), leader.comment);
    const auto column = [&](const std::string& name) { return fmt::format("COLUMN {}.{}", quote_table(table.name), quote_identifier(name)); };
    for (const ColumnSchema& each : leader.columns) add(column(each.name), each.comment);
    for (const GeneratedColumn& each : leader.generated) add(column(each.name), each.comment);
}

/// Rows of the other table may be in quarantine, and the key would refuse those that refer to them.
bool held_back(const PgMakePlan& plan, const TableName& parent) { return !plan.facts.replica_role && plan.facts.quarantining.contains(parent); }

void add_foreign_keys(const PgMakePlan& plan, const Table& table, bool parent, std::vector<PgDdlStep>& steps) {
    const TableSchema& leader = *table.leader;
    for (const ForeignKey& key : leader.foreign_keys) {
        const TableName to = follower_parent(leader, key, Engine::postgresql);
        if (!plan.will_exist(to) || held_back(plan, to)) continue;
        const auto style = plan.facts.replica_role ? PgForeignKeyStyle::as_leader : PgForeignKeyStyle::deferred;
        PgDdlStep step{pg_add_foreign_key(table.name, leader, key, style), fmt::format("{}: the foreign key to {}", to_string(table.name), to_string(to))};
        // There is no such thing for partitioned tables.
        if (plan.facts.replica_role && !parent) {
            step.otherwise = pg_add_foreign_key(table.name, leader, key, PgForeignKeyStyle::not_validated);
            step.otherwise_note = "is made NOT VALID";
        }
        steps.push_back(std::move(step));
    }
}

bool keeps_key_name(const PgMakePlan& plan, const Table& table) {
    return !plan.facts.relations.contains({table.name.schema, table.leader->primary_key_name});
}

/// Partitions and children of other tables have their key from the start: it is part of what ties them together. A SQLite leader's rows are held
/// against it as they come, so that a complaint names the row.
bool can_wait_for_key(const TableSchema& leader) {
    return leader.engine == Engine::postgresql && !leader.primary_key.empty() && leader.partition_bound.empty() && leader.partition_key.empty() && leader.parents.empty() &&
           leader.ancestors.empty();
}

}  // namespace

std::vector<PgDdlStep> pg_before_copy(const PgMakePlan& plan, PgKeys keys) {
    std::vector<PgDdlStep> steps;
    const auto& there = plan.facts.relations;
    const auto* collations = plan.facts.collations ? &*plan.facts.collations : nullptr;
    for (const std::string& schema : plan.schemas) steps.push_back({fmt::format("CREATE SCHEMA IF NOT EXISTS {}", quote_identifier(schema))});
    for (const UserType& type : plan.types) {
        const std::string sql = pg_create_type(type);
        const bool again = std::ranges::any_of(steps, [&](const PgDdlStep& step) { return step.sql == sql; });
        if (!again) steps.push_back({sql});
        const std::string name = type.name.schema + "." + type.name.name;
        if (name == kSqliteValue)
            steps.push_back({fmt::format("COMMENT ON DOMAIN {} IS 'Values of SQLite, tagged with their storage class: i:42 r:0.1 t:abc x:ff b:ff'", quote_table(type.name))});
        if (name == kSqliteNumeric)
            steps.push_back({fmt::format("COMMENT ON DOMAIN {} IS 'Integers and reals as SQLite''s NUMERIC affinity keeps them'", quote_table(type.name))});
    }
    for (const TableName& extension : plan.extensions)
        steps.push_back({fmt::format("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {} CASCADE", quote_identifier(extension.name), quote_identifier(extension.schema)),
                         "the extension " + printable(extension.name, 80)});
    for (const Table& table : plan.parents) {
        if (there.contains(table.name)) continue;
        steps.push_back({pg_create_table(table.name, *table.leader, table.types, {!table.attached, true, keeps_key_name(plan, table), collations, true})});
        if (table.attached) steps.push_back({attach(table)});
    }
    for (const Table& table : plan.tables)
        steps.push_back({pg_create_table(table.name, *table.leader, table.types, {!table.attached, false, keeps_key_name(plan, table), collations,
                                          keys == PgKeys::at_once || !can_wait_for_key(*table.leader)})});
    for (const Table& table : plan.tables) {
        if (!table.attached) continue;
        const TableName parent = follower_table(table.leader->ancestors.back(), Engine::postgresql);
        // Below somebody's own table: what its bounds and columns are is not ours to say.
        steps.push_back({attach(table), there.contains(parent) ? fmt::format("{}: its place below {}", to_string(table.name), to_string(parent)) : ""});
    }
    for (const Table& table : plan.tables) {
        if (!table.leader->partition_bound.empty()) continue;
        for (const TableName& parent : table.leader->parents) {
            const TableName above = follower_table(parent, table.leader->engine, Engine::postgresql);
            if (!plan.will_exist(above)) continue;
            steps.push_back({fmt::format("ALTER TABLE {} INHERIT {}", quote_table(table.name), quote_table(above)),
                             fmt::format("{}: its place below {}", to_string(table.name), to_string(above))});
        }
    }
    return steps;
}

std::vector<std::string> pg_left_out(const PgMakePlan& plan) {
    std::vector<std::string> lines;
    const auto absent = [&](const Table& table, const TableName& other, std::string_view what) {
        const TableName name = follower_table(other, table.leader->engine, Engine::postgresql);
        if (!plan.will_exist(name)) lines.push_back(fmt::format("{}: {} {}, which is not on the follower", to_string(table.name), what, to_string(name)));
    };
    for (const std::vector<Table>* list : {&plan.parents, &plan.tables})
        for (const Table& table : *list) {
            for (const ForeignKey& key : table.leader->foreign_keys) {
                absent(table, key.parent, "no foreign key to");
                const TableName parent = follower_parent(*table.leader, key, Engine::postgresql);
                if (held_back(plan, parent))
                    lines.push_back(fmt::format("{}: the foreign key to {} is left out: rows of that may be in quarantine, and it would refuse the rows that refer "
                                                "to them",
                                                to_string(table.name), to_string(parent)));
            }
            if (!table.leader->partition_bound.empty()) continue;
            for (const TableName& parent : table.leader->parents) absent(table, parent, "no place below");
        }
    return lines;
}

std::vector<PgDdlStep> pg_after_copy(const PgMakePlan& plan, PgKeys keys) {
    std::vector<PgDdlStep> steps;
    if (keys == PgKeys::after_rows)
        for (const Table& table : plan.tables)
            if (can_wait_for_key(*table.leader)) steps.push_back({pg_add_primary_key(table.name, *table.leader, keeps_key_name(plan, table))});
    IndexNames names{plan};
    for (const Table& table : plan.tables) {
        add_indexes(table, names, false, steps);
        add_checks(plan, table, steps);
    }
    for (const Table& table : std::views::reverse(plan.parents)) {
        add_indexes(table, names, true, steps);
        add_checks(plan, table, steps);
    }
    for (const std::vector<Table>* list : {&plan.parents, &plan.tables})
        for (const Table& table : *list) add_comments(table, steps);
    for (const Table& table : plan.tables) add_foreign_keys(plan, table, false, steps);
    for (const Table& table : plan.parents) add_foreign_keys(plan, table, true, steps);
    return steps;
}

}  // namespace rowferry
