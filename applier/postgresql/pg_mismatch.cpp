#include "applier/postgresql/pg_mismatch.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::minutes kTellInterval{1};

bool in_unique_key(const TableSchema& table, std::uint16_t column) {
    const auto has = [&](const UniqueKey& key) { return std::find(key.columns.begin(), key.columns.end(), column) != key.columns.end(); };
    return table.in_identity(column) || std::any_of(table.unique_keys.begin(), table.unique_keys.end(), has);
}

}  // namespace

std::optional<PgMisfit> find_misfit(const PgTablePlan& plan, std::span<const Cell> row) {
    std::optional<PgMisfit> misfit;
    Arena scratch;
    for (std::uint16_t i = 0; i < row.size(); ++i) {
        const PgTablePlan::Column& column = plan.column(i);
        if (!column.written) continue;
        try {
            static_cast<void>(convert(column.conversion, row[i], scratch));
        } catch (const ValueError& error) {
            if (column.on_mismatch == OnMismatch::stop)
                throw ValueError{fmt::format("column {}: {}", printable(column.follower->name, 80), error.what())};
            if (column.on_mismatch == OnMismatch::quarantine && !misfit) misfit = PgMisfit{i, error.what()};
        }
    }
    return misfit;
}

bool quarantines(const TableSchema& leader) {
    return std::any_of(leader.columns.begin(), leader.columns.end(),
                       [](const ColumnSchema& column) { return column.on_mismatch == OnMismatch::quarantine; });
}

std::vector<std::string> check_mismatch_rules(const TableSchema& leader, const PgTarget* existing, bool replica_role) {
    std::vector<std::string> lines;
    const std::string table = to_string(leader.name);
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) {
        const ColumnSchema& column = leader.columns[i];
        const std::string name = fmt::format("{}.{}", table, printable(column.name, 80));
        if (column.on_mismatch != OnMismatch::stop && leader.engine == Engine::postgresql) {
            lines.push_back(fmt::format("{}: on-mismatch other than stop is for SQLite leaders: what a column of PostgreSQL holds is known by "
                                        "its type, and the follower's column either takes all of it or is refused",
                                        table));
            return lines;
        }
        if (column.on_mismatch != OnMismatch::null_value) continue;
        const PgTargetColumn* target = existing == nullptr ? nullptr : existing->column(column.name);
        if (column.not_null || (target != nullptr && target->not_null))
            lines.push_back(fmt::format("{}: on-mismatch = null, but the column is NOT NULL: use stop or quarantine for it", name));
        else if (in_unique_key(leader, i))
            lines.push_back(fmt::format("{}: on-mismatch = null, but the column is part of a key, by which rows are told apart: use stop or quarantine "
                                        "for it",
                                        name));
    }
    if (!quarantines(leader)) return lines;
    if (leader.identity.empty())
        lines.push_back(fmt::format("{}: on-mismatch = quarantine needs a key by which a row is found again, and the table has none (a primary key, or "
                                    "a unique one without NULLs): use stop or null for it",
                                    table));
    if (existing == nullptr || replica_role) return lines;
    for (const PgTargetForeignKey& key : existing->foreign_keys)
        if (key.parent == existing->name)
            lines.push_back(fmt::format("{}: on-mismatch = quarantine keeps rows out of the table, and the foreign key {} of {} would refuse the rows "
                                        "that refer to them: let the role set session_replication_role, or drop the foreign key",
                                        table, printable(key.name, 80), to_string(key.child)));
    return lines;
}

void PgMismatchLog::note(const PgTablePlan& plan, std::uint16_t column, std::string_view outcome, std::string_view why,
                         std::string_view where, std::uint64_t count) {
    const std::string subject = fmt::format("{}, column {}: {}", to_string(plan.follower().name), printable(plan.column(column).follower->name, 80),
                                            outcome);
    Sum& sum = sums_[subject];
    if (sum.count == 0) {
        spdlog::warn("{}, as it does not fit: {}{}{} (the first of its kind; more are counted)", subject, why, where.empty() ? "" : ", ", where);
        sum.told = 1;
    }
    sum.count += count;
}

void PgMismatchLog::tell(bool now) noexcept {
    if (sums_.empty()) return;
    const auto time = std::chrono::steady_clock::now();
    if (!now && time - told_ < kTellInterval) return;
    told_ = time;
    try {
        for (auto& [subject, sum] : sums_) {
            if (sum.count == sum.told) continue;
            spdlog::warn("{}: {} times since the start", subject, sum.count);
            sum.told = sum.count;
        }
    } catch (const std::exception&) {
        // Out of memory: the counts are for people only.
    }
}

}  // namespace rowferry
