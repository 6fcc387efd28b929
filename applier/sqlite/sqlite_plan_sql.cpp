#include "applier/sqlite/sqlite_plan_sql.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/sqlite_ddl.h"

namespace rowferry {
namespace {

constexpr std::size_t kNoColumn = static_cast<std::size_t>(-1);

std::string joined(const std::vector<std::string>& parts, std::string_view separator) { return fmt::format("{}", fmt::join(parts, separator)); }

bool is_binary(const std::string& collation) { return sqlite_folded(collation) == "binary"; }

/// A type name that gives a column of the parking table the affinity of the column it stands for, so that indexes on it are used.
const char* affinity_type(Affinity affinity) {
    switch (affinity) {
        case Affinity::integer: return " INT";
        case Affinity::text: return " TEXT";
        case Affinity::real: return " REAL";
        case Affinity::numeric: return " NUM";
        case Affinity::blob: return "";
    }
    throw std::logic_error{"affinity"};
}

}  // namespace

Affinity follower_affinity(const std::string& type, bool strict) {
    return strict && sqlite_folded(type) == "any" ? Affinity::blob : sqlite_affinity(type);
}

SqlitePlanSql::SqlitePlanSql(const TableSchema& leader, const FollowerTable& follower)
    : table_{quote_table({"main", follower.name})}, rowid_{follower.rowid_name()}, identity_{leader.identity} {
    for (const ColumnSchema& column : leader.columns) {
        const FollowerColumn& target = *follower.column(column.name);
        names_.push_back(quote_identifier(target.name));
        folded_.push_back(sqlite_folded(target.name));
        collations_.push_back(target.collation);
        affinities_.push_back(follower_affinity(target.type, follower.strict));
        nullable_.push_back(!column.not_null || !target.not_null);
    }
    keyless_ = identity_.empty() || (identity_.size() == leader.columns.size() && leader.unique_keys.empty());
    for (const FollowerIndex& index : follower.indexes) {
        if (!index.unique) continue;
        ColumnIndexes columns;
        for (const FollowerIndex::Part& part : index.parts) {
            const std::size_t column = leader_column(part.column);
            if (column != kNoColumn) columns.push_back(static_cast<std::uint16_t>(column));
        }
        if (columns.size() != index.parts.size()) continue;
        uniques_.push_back(index);
        std::sort(columns.begin(), columns.end());
        const bool of_leader = !index.partial && std::any_of(leader.unique_keys.begin(), leader.unique_keys.end(), [&](const UniqueKey& key) {
            ColumnIndexes sorted = key.columns;
            std::sort(sorted.begin(), sorted.end());
            return sorted == columns;
        });
        if (of_leader) leader_uniques_.push_back(index);
    }
}

std::size_t SqlitePlanSql::leader_column(const std::string& follower_column) const {
    const auto found = std::find(folded_.begin(), folded_.end(), sqlite_folded(follower_column));
    return found == folded_.end() ? kNoColumn : static_cast<std::size_t>(found - folded_.begin());
}

std::string SqlitePlanSql::before(std::size_t column) const { return fmt::format("?{}", column + 1); }
std::string SqlitePlanSql::after(std::size_t column) const { return fmt::format("?{}", names_.size() + column + 1); }
std::string SqlitePlanSql::rowid_parameter() const { return fmt::format("?{}", 2 * names_.size() + 1); }
std::string SqlitePlanSql::parked_name(std::size_t column) const { return fmt::format("p{}", column); }

/// The identity columns are compared by their own collation, which finds the index, and by their bytes, which finds the row.
std::string SqlitePlanSql::key_condition() const {
    std::vector<std::string> terms;
    for (const auto column : identity_) {
        const char* equals = nullable_[column] ? "IS" : "=";
        terms.push_back(fmt::format("{} {} {}", names_[column], equals, before(column)));
        if (!is_binary(collations_[column])) terms.push_back(fmt::format("{} COLLATE BINARY {} {}", names_[column], equals, before(column)));
    }
    return joined(terms, " AND ");
}

/// Equal in every column: value, storage class, and the sign of a zero.
std::string SqlitePlanSql::same_condition(bool of_parked) const {
    std::vector<std::string> terms;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string name = of_parked ? parked_name(i) : names_[i];
        terms.push_back(fmt::format("{} COLLATE BINARY IS {} AND typeof({}) = typeof({})", name, before(i), name, before(i)));
        if (affinities_[i] == Affinity::blob)  // elsewhere a zero has no sign
            terms.push_back(fmt::format("rowferry_negative({}) = rowferry_negative({})", name, before(i)));
    }
    return joined(terms, " AND ");
}

std::string SqlitePlanSql::the_row() const {
    if (!keyless_) return key_condition();
    return fmt::format("{} = (SELECT {} FROM {} WHERE {} LIMIT 1)", rowid_, rowid_, table_, same_condition(false));
}

std::string SqlitePlanSql::insert() const {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < names_.size(); ++i) values.push_back(after(i));
    // OR ABORT overrules an ON CONFLICT clause of the follower's own table.
    return fmt::format("INSERT OR ABORT INTO {} ({}) VALUES ({})", table_, joined(names_, ", "), joined(values, ", "));
}

std::string SqlitePlanSql::update(const std::vector<bool>& set) const {
    std::vector<std::string> assignments;
    for (std::size_t i = 0; i < names_.size(); ++i)
        if (set[i]) assignments.push_back(fmt::format("{} = {}", names_[i], after(i)));
    if (assignments.empty()) assignments.push_back(fmt::format("{} = {}", names_[0], names_[0]));
    return fmt::format("UPDATE OR ABORT {} SET {} WHERE {}", table_, joined(assignments, ", "), the_row());
}

std::string SqlitePlanSql::remove() const { return fmt::format("DELETE FROM {} WHERE {}", table_, the_row()); }
std::string SqlitePlanSql::remove_all() const { return fmt::format("DELETE FROM {}", table_); }

std::string SqlitePlanSql::displace(const FollowerIndex& unique, bool but_not_the_row) const {
    std::vector<std::string> terms;
    for (const FollowerIndex::Part& part : unique.parts) {
        const std::size_t column = leader_column(part.column);
        const std::string collate = part.collation.empty() ? "" : " COLLATE " + quote_identifier(part.collation);
        terms.push_back(fmt::format("{}{} = {}", names_[column], collate, after(column)));
    }
    if (but_not_the_row) terms.push_back(fmt::format("NOT ({})", the_row()));
    return fmt::format("DELETE FROM {} WHERE {}", table_, joined(terms, " AND "));
}

std::string SqlitePlanSql::count_rows() const { return fmt::format("SELECT count(*) FROM {} WHERE {}", table_, the_row()); }

std::string SqlitePlanSql::count_same_rows() const {
    return fmt::format("SELECT count(*) FROM {} WHERE {}{}{}", table_, keyless_ ? "" : key_condition(), keyless_ ? "" : " AND ", same_condition(false));
}

std::string SqlitePlanSql::create_parked(const std::string& parked) const {
    std::vector<std::string> columns;
    for (std::size_t i = 0; i < names_.size(); ++i)
        columns.push_back(fmt::format("{}{} COLLATE {}", parked_name(i), affinity_type(affinities_[i]), quote_identifier(collations_[i])));
    std::string sql = fmt::format("DROP TABLE IF EXISTS temp.{0}; CREATE TABLE temp.{0} ({1})", quote_identifier(parked), joined(columns, ", "));
    int number = 0;
    const auto add_index = [&](const std::vector<std::string>& parts) {
        sql += fmt::format("; CREATE INDEX temp.{} ON {} ({})", quote_identifier(fmt::format("{}_{}", parked, number++)), quote_identifier(parked),
                           joined(parts, ", "));
    };
    std::vector<std::string> key;
    for (const auto column : identity_) key.push_back(parked_name(column));
    if (!key.empty() && !keyless_) add_index(key);
    for (const FollowerIndex& unique : uniques_) {
        std::vector<std::string> parts;
        for (const FollowerIndex::Part& part : unique.parts)
            parts.push_back(fmt::format("{} COLLATE {}", parked_name(leader_column(part.column)), quote_identifier(part.collation)));
        add_index(parts);
    }
    return sql;
}

std::string SqlitePlanSql::park_new(const std::string& parked) const {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < names_.size(); ++i) values.push_back(after(i));
    return fmt::format("INSERT INTO temp.{} VALUES ({})", quote_identifier(parked), joined(values, ", "));
}

std::string SqlitePlanSql::park_row(const std::string& parked) const {
    return fmt::format("INSERT INTO temp.{} SELECT {} FROM {} WHERE {}", quote_identifier(parked), joined(names_, ", "), table_, the_row());
}

std::string SqlitePlanSql::find_parked(const std::string& parked) const {
    if (keyless_) return find_same_parked(parked);
    std::vector<std::string> terms;
    for (const auto column : identity_) terms.push_back(fmt::format("{0} IS {1} AND {0} COLLATE BINARY IS {1}", parked_name(column), before(column)));
    return fmt::format("SELECT rowid FROM temp.{} WHERE {} LIMIT 1", quote_identifier(parked), joined(terms, " AND "));
}

std::string SqlitePlanSql::find_same_parked(const std::string& parked) const {
    return fmt::format("SELECT rowid FROM temp.{} WHERE {} LIMIT 1", quote_identifier(parked), same_condition(true));
}

std::string SqlitePlanSql::update_parked(const std::string& parked, const std::vector<bool>& set) const {
    std::vector<std::string> assignments;
    for (std::size_t i = 0; i < names_.size(); ++i)
        if (set[i]) assignments.push_back(fmt::format("{} = {}", parked_name(i), after(i)));
    if (assignments.empty()) assignments.emplace_back("p0 = p0");
    return fmt::format("UPDATE temp.{} SET {} WHERE rowid = {}", quote_identifier(parked), joined(assignments, ", "), rowid_parameter());
}

std::string SqlitePlanSql::waiting_for(const std::string& parked, const FollowerIndex& unique) const {
    std::vector<std::string> parts;
    std::vector<std::string> columns;
    for (const FollowerIndex::Part& part : unique.parts) {
        const std::size_t column = leader_column(part.column);
        parts.push_back(fmt::format("{} COLLATE {}", parked_name(column), quote_identifier(part.collation)));
        columns.push_back(names_[column]);
    }
    const char* open = parts.size() > 1 ? "(" : "";
    const char* close = parts.size() > 1 ? ")" : "";
    return fmt::format("SELECT rowid FROM temp.{} WHERE {}{}{} = (SELECT {} FROM {} WHERE {})", quote_identifier(parked), open, joined(parts, ", "), close,
                       joined(columns, ", "), table_, the_row());
}

std::string SqlitePlanSql::unpark(const std::string& parked) const {
    std::vector<std::string> columns;
    for (std::size_t i = 0; i < names_.size(); ++i) columns.push_back(parked_name(i));
    return fmt::format("INSERT OR ABORT INTO {} ({}) SELECT {} FROM temp.{} WHERE rowid = {}", table_, joined(names_, ", "), joined(columns, ", "),
                       quote_identifier(parked), rowid_parameter());
}

}  // namespace rowferry
