#include "applier/postgresql/pg_target.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

using ByOid = std::map<std::string, PgTarget>;

constexpr std::string_view kFollowerTables = R"(
SELECT c.oid, n.nspname, c.relname, c.relkind,
       has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
       AND has_table_privilege(c.oid, 'DELETE') AND has_table_privilege(c.oid, 'TRUNCATE'),
       row_security_active(c.oid), coalesce(pg_get_expr(c.relpartbound, c.oid), '')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN ({}))";

// The recursion goes down from a domain to the type below it, keeping the modifier that applies there.
constexpr std::string_view kColumns = R"(
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod),
       (WITH RECURSIVE down (type, modifier) AS (
            SELECT a.atttypid, a.atttypmod
            UNION ALL
            SELECT t.typbasetype, t.typtypmod FROM down JOIN pg_catalog.pg_type t ON t.oid = down.type WHERE t.typtype = 'd')
        SELECT format_type(down.type, down.modifier) FROM down JOIN pg_catalog.pg_type t ON t.oid = down.type WHERE t.typtype <> 'd'),
       a.atttypid, a.attnotnull, a.atthasdef, a.attgenerated <> '', a.attidentity <> '', a.attidentity = 'a',
       EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       own.not_null, own.checked, own.labels, own.equality, own.cast_type
FROM pg_catalog.pg_attribute a
CROSS JOIN LATERAL (
    WITH RECURSIVE down (type) AS (
        SELECT a.atttypid
        UNION ALL
        SELECT t.typbasetype FROM down JOIN pg_catalog.pg_type t ON t.oid = down.type WHERE t.typtype = 'd')
    SELECT bool_or(t.typnotnull) AS not_null,
           bool_or(EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) AS checked,
           (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid IN (SELECT type FROM down)) AS labels,
           (SELECT n.nspname FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
             WHERE o.oprname = '=' AND o.oprleft = o.oprright AND o.oprleft IN (SELECT type FROM down) AND n.nspname <> 'pg_catalog'
             ORDER BY o.oid LIMIT 1) AS equality,
           (SELECT format_type(base.oid, -1) FROM down JOIN pg_catalog.pg_type base ON base.oid = down.type
             WHERE base.typtype <> 'd' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_cast k WHERE k.castsource = 'pg_catalog.text'::regtype
             AND k.casttarget = base.oid AND k.castmethod = 'f' AND k.casttarget <> 'pg_catalog.name'::regtype)) AS cast_type
    FROM down JOIN pg_catalog.pg_type t ON t.oid = down.type) own
WHERE a.attrelid IN ({}) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

constexpr std::string_view kUniqueKeys = R"(
SELECT i.indrelid, i.indexrelid, a.attname
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS place
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place]
WHERE i.indrelid IN ({}) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indrelid, i.indexrelid, place)";

constexpr std::string_view kTriggers = R"(
SELECT tgrelid, tgname, tgenabled IN ('O', 'A'), tgenabled IN ('R', 'A') FROM pg_catalog.pg_trigger
WHERE tgrelid IN ({}) AND NOT tgisinternal AND tgenabled <> 'D')";

constexpr std::string_view kRules = R"(
SELECT ev_class, rulename, ev_enabled IN ('O', 'A'), ev_enabled IN ('R', 'A') FROM pg_catalog.pg_rewrite
WHERE ev_class IN ({}) AND ev_type <> '1' AND ev_enabled <> 'D')";

// A unique index of columns that may be NULL or are compared by another operator is told as one over these columns.
constexpr std::string_view kConstraints = R"(
SELECT conrelid, conname, pg_get_expr(conbin, conrelid), false, NULL
FROM pg_catalog.pg_constraint WHERE conrelid IN ({0}) AND contype = 'c'
UNION ALL
SELECT i.indrelid, c.relname, NULL, i.indisexclusion,
       CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL THEN
           (SELECT json_agg(a.attname ORDER BY a.attname COLLATE "C")
            FROM generate_series(0, i.indnkeyatts - 1) AS place
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place]) END
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid IN ({0}) AND (i.indisunique OR i.indisexclusion)
ORDER BY 1, 2)";

constexpr std::string_view kForeignKeys = R"(
SELECT k.conrelid, k.confrelid, k.conname, cn.nspname, c.relname, pn.nspname, p.relname, k.condeferrable,
       k.confupdtype <> 'a' OR k.confdeltype <> 'a'
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND (k.conrelid IN ({0}) OR k.confrelid IN ({0})))";

constexpr std::string_view kPartitionTrees = R"(
SELECT own.oid, rn.nspname, root.relname, n.nspname, c.relname, tree.isleaf
FROM (SELECT DISTINCT pg_partition_root(oid) AS oid FROM pg_catalog.pg_class WHERE oid IN ({}) AND relispartition) own
JOIN pg_catalog.pg_class root ON root.oid = own.oid JOIN pg_catalog.pg_namespace rn ON rn.oid = root.relnamespace
CROSS JOIN LATERAL pg_partition_tree(own.oid) tree
JOIN pg_catalog.pg_class c ON c.oid = tree.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)";

void read_trees(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows rows = run(fmt::format(kPartitionTrees, oids));
    std::map<std::string, std::shared_ptr<PgPartitionTree>> trees;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& tree = trees[rows.text(i, 0)];
        if (!tree) tree = std::make_shared<PgPartitionTree>(PgPartitionTree{{rows.text(i, 1), rows.text(i, 2)}, {}, {}});
        (rows.boolean(i, 5) ? tree->leaves : tree->partitioned).insert({rows.text(i, 3), rows.text(i, 4)});
    }
    for (auto& [oid, table] : tables)
        for (const auto& [root, tree] : trees)
            if (tree->leaves.contains(table.name)) table.tree = tree;
}

/// A JSON array of texts; none for NULL.
std::vector<std::string> names(const PgRows& rows, std::size_t row, int column) {
    if (rows.is_null(row, column)) return {};
    return nlohmann::json::parse(rows.text(row, column)).get<std::vector<std::string>>();
}

void read_constraints(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows rows = run(fmt::format(kConstraints, oids));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        PgTargetConstraint constraint{rows.text(i, 1), {}, rows.boolean(i, 3), names(rows, i, 4)};
        if (!rows.is_null(i, 2)) constraint.check = rows.text(i, 2);
        tables.at(rows.text(i, 0)).constraints.push_back(std::move(constraint));
    }
}

void read_rules(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows triggers = run(fmt::format(kTriggers, oids));
    for (std::size_t i = 0; i < triggers.size(); ++i) {
        PgTarget& table = tables.at(triggers.text(i, 0));
        if (triggers.boolean(i, 2)) table.triggers.push_back(triggers.text(i, 1));
        if (triggers.boolean(i, 3)) table.replica_triggers.push_back(triggers.text(i, 1));
    }
    const PgRows rules = run(fmt::format(kRules, oids));
    for (std::size_t i = 0; i < rules.size(); ++i) {
        PgTarget& table = tables.at(rules.text(i, 0));
        if (rules.boolean(i, 2)) table.rules.push_back(rules.text(i, 1));
        if (rules.boolean(i, 3)) table.replica_rules.push_back(rules.text(i, 1));
    }
}

void read_columns(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows rows = run(fmt::format(kColumns, oids));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        PgTargetColumn column;
        column.name = rows.text(i, 1);
        column.type = rows.text(i, 2);
        column.base_type = rows.text(i, 3);
        column.oid = static_cast<std::uint32_t>(rows.integer(i, 4));
        column.not_null = rows.boolean(i, 5);
        column.has_default = rows.boolean(i, 6);
        column.generated = rows.boolean(i, 7);
        column.identity = rows.boolean(i, 8);
        column.identity_always = rows.boolean(i, 9);
        column.in_primary_key = rows.boolean(i, 10);
        column.not_null_domain = rows.boolean(i, 11);
        column.checked_domain = rows.boolean(i, 12);
        column.labels = names(rows, i, 13);
        column.cast_type = rows.text(i, 15);
        if (!rows.is_null(i, 14)) column.equals = fmt::format("OPERATOR({}.=)", quote_identifier(rows.text(i, 14)));
        tables.at(rows.text(i, 0)).columns.push_back(std::move(column));
    }
}

void read_unique_keys(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows rows = run(fmt::format(kUniqueKeys, oids));
    std::string index;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& keys = tables.at(rows.text(i, 0)).unique_keys;
        if (rows.text(i, 1) != index) keys.emplace_back();
        index = rows.text(i, 1);
        keys.back().push_back(rows.text(i, 2));
    }
    for (auto& [oid, table] : tables)
        for (auto& key : table.unique_keys) std::sort(key.begin(), key.end());
}

void read_foreign_keys(const PgRun& run, const std::string& oids, ByOid& tables) {
    const PgRows rows = run(fmt::format(kForeignKeys, oids));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const PgTargetForeignKey key{rows.text(i, 2),
                                     {rows.text(i, 3), rows.text(i, 4)},
                                     {rows.text(i, 5), rows.text(i, 6)},
                                     rows.boolean(i, 7),
                                     rows.boolean(i, 8)};
        for (const std::size_t end : {std::size_t{0}, std::size_t{1}}) {
            const auto table = tables.find(rows.text(i, end));
            if (table == tables.end() || (end == 1 && rows.text(i, 0) == rows.text(i, 1))) continue;
            table->second.foreign_keys.push_back(key);
        }
    }
}

}  // namespace

const PgTargetColumn* PgTarget::column(const std::string& wanted) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const PgTargetColumn& column) { return column.name == wanted; });
    return found == columns.end() ? nullptr : &*found;
}

bool PgTarget::has_unique_key(std::vector<std::string> wanted) const {
    std::sort(wanted.begin(), wanted.end());
    return std::find(unique_keys.begin(), unique_keys.end(), wanted) != unique_keys.end();
}

std::map<TableName, PgTarget> read_targets(const PgRun& run, const std::vector<TableName>& names) {
    if (names.empty()) return {};
    std::string wanted;
    for (const TableName& name : names)
        wanted += fmt::format("{}({}, {})", wanted.empty() ? "" : ", ", quote_literal(name.schema), quote_literal(name.name));
    ByOid tables;
    std::string oids;
    const PgRows rows = run(fmt::format(kFollowerTables, wanted));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        PgTarget table;
        table.name = {rows.text(i, 1), rows.text(i, 2)};
        table.partitioned = rows.text(i, 3) == "p";
        table.plain = table.partitioned || rows.text(i, 3) == "r";
        table.writable = rows.boolean(i, 4);
        table.row_security = rows.boolean(i, 5);
        table.bound = rows.text(i, 6);
        oids += (oids.empty() ? "" : ", ") + rows.text(i, 0);
        tables.emplace(rows.text(i, 0), std::move(table));
    }
    if (tables.empty()) return {};
    read_columns(run, oids, tables);
    read_unique_keys(run, oids, tables);
    read_rules(run, oids, tables);
    read_constraints(run, oids, tables);
    read_foreign_keys(run, oids, tables);
    read_trees(run, oids, tables);

    std::map<TableName, PgTarget> by_name;
    for (auto& [oid, table] : tables) by_name.emplace(table.name, std::move(table));
    return by_name;
}

std::vector<const PgPartitionTree*> whole_trees(const std::vector<const PgTarget*>& targets) {
    std::map<const PgPartitionTree*, std::size_t> leaves;
    for (const PgTarget* target : targets)
        if (target->tree) ++leaves[target->tree.get()];
    std::vector<const PgPartitionTree*> whole;
    for (const auto& [tree, count] : leaves)
        if (count == tree->leaves.size()) whole.push_back(tree);
    return whole;
}

std::string truncate_list(const std::vector<const PgTarget*>& targets) {
    const std::vector<const PgPartitionTree*> whole = whole_trees(targets);
    std::string names;
    const auto add = [&](std::string_view only, const TableName& name) { names += fmt::format("{}{}{}", names.empty() ? "" : ", ", only, quote_table(name)); };
    for (const PgPartitionTree* tree : whole) add("", tree->root);
    for (const PgTarget* target : targets)
        if (std::find(whole.begin(), whole.end(), target->tree.get()) == whole.end()) add(target->partitioned ? "" : "ONLY ", target->name);
    return names;
}

bool target_has_rows(const PgRun& run, const PgTarget& table) {
    return run(fmt::format("SELECT EXISTS (SELECT 1 FROM {}{})", table.partitioned ? "" : "ONLY ", quote_table(table.name))).boolean(0, 0);
}

}  // namespace rowferry
