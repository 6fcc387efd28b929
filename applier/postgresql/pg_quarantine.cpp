#include "applier/postgresql/pg_quarantine.h"

#include <array>

#include <fmt/format.h>

#include "applier/postgresql/pg_row_image.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// The keys are held in memory. More than this many rows that do not fit are no exception but a column of the wrong type.
constexpr std::size_t kMostKeys = 1'000'000;

PgStatement statement_of(std::string name, std::string sql, std::size_t parameters) {
    PgStatement statement;
    statement.name = std::move(name);
    statement.sql = std::move(sql);
    statement.types.assign(parameters, kTextOid);
    statement.formats.assign(parameters, 0);
    return statement;
}

template <std::size_t Count>
void queue(PgPipeline& pipeline, PgStatement& statement, const std::array<const std::string*, Count>& texts, PgTablePlan& plan,
           std::uint32_t event) {
    std::array<const char*, Count> values{};
    std::array<int, Count> lengths{};
    for (std::size_t i = 0; i < Count; ++i) {
        values[i] = texts[i]->c_str();
        lengths[i] = static_cast<int>(texts[i]->size());
    }
    PgPipeline::Pending pending;
    pending.kind = PgPipeline::Pending::Kind::change;
    pending.plan = &plan;
    pending.event = event;
    pipeline.send(statement, values, lengths, pending);
}

}  // namespace

PgQuarantine::PgQuarantine(PgPipeline& pipeline, PgChangeSender& sender, PgMismatchLog& log, std::string stream)
    : pipeline_{pipeline},
      sender_{sender},
      log_{log},
      stream_{std::move(stream)},
      put_{statement_of("quarantine",
                        "INSERT INTO rowferry.quarantine (stream, schema, name, key_digest, key, image, column_name, storage_class, reason, "
                        "position) VALUES ($1, $2, $3, sha256(convert_to($4, 'UTF8')), $4::json, $5::json, $6, $7, $8, $9) "
                        "ON CONFLICT (stream, schema, name, key_digest) DO UPDATE SET image = excluded.image, column_name = excluded.column_name, "
                        "storage_class = excluded.storage_class, reason = excluded.reason, position = excluded.position, last_seen = now()",
                        9)},
      drop_{statement_of("unquarantine",
                         "DELETE FROM rowferry.quarantine WHERE stream = $1 AND schema = $2 AND name = $3 AND key_digest = "
                         "sha256(convert_to($4, 'UTF8'))",
                         4)} {}

void PgQuarantine::apply(PgTablePlan& plan, PgQuarantinedKeys& keys, const Change& change, std::uint32_t event, const std::string& position) {
    const bool insert = change.operation == Operation::insert;
    const std::string old_key = insert ? "" : PgQuarantinedKeys::key_of(plan, change.before.empty() ? change.after : change.before);
    const bool was_here = !insert && keys.contains(old_key);
    if (change.operation == Operation::remove) {
        if (was_here)
            drop(plan, keys, old_key, event);
        else
            sender_.send(plan, change, plan.remove(), event);
        return;
    }
    const std::optional<PgMisfit> misfit = find_misfit(plan, change.after);
    for (const std::string& key : keys.conflicts(plan, change.after)) {
        if (was_here && key == old_key) continue;
        drop(plan, keys, key, event);
        ++replaced_;
    }
    if (!misfit) {
        if (was_here) drop(plan, keys, old_key, event);
        sender_.send(plan, change, insert || was_here ? plan.insert() : plan.update(change), event);
        return;
    }
    if (!insert && !was_here) sender_.send(plan, change, plan.remove(), event);
    displace(plan, change, event);
    if (was_here && old_key != PgQuarantinedKeys::key_of(plan, change.after)) drop(plan, keys, old_key, event);
    put(plan, keys, change, *misfit, event, position);
}

/// Removes the rows of the table that cannot be on the leader beside the row after.
void PgQuarantine::displace(PgTablePlan& plan, const Change& change, std::uint32_t event) {
    for (std::size_t i = 0; i < plan.leader().unique_keys.size(); ++i) {
        bool comparable = true;
        for (const std::uint16_t column : plan.leader().unique_keys[i].columns) comparable = comparable && !change.after[column].is_null();
        if (!comparable) continue;
        try {
            sender_.send(plan, change, plan.displace(i), event, PgPipeline::Pending::Kind::displaced);
        } catch (const ValueError&) {
            // A value of the key does not fit: no row of the table has it.
        }
    }
}

void PgQuarantine::put(PgTablePlan& plan, PgQuarantinedKeys& keys, const Change& change, const PgMisfit& misfit, std::uint32_t event,
                       const std::string& position) {
    const TableSchema& leader = plan.leader();
    if (keys.size() >= kMostKeys)
        throw ValueError{fmt::format("column {}: {} rows of the table are in quarantine already: give the column a type that takes its values",
                                     printable(plan.column(misfit.column).follower->name, 80), kMostKeys)};
    ColumnIndexes all;
    for (std::uint16_t i = 0; i < leader.columns.size(); ++i) all.push_back(i);
    const TableName& table = plan.follower().name;
    const std::string key = image_json(leader, leader.identity, change.after);
    const std::string image = image_json(leader, all, change.after);
    const std::string& column = plan.column(misfit.column).follower->name;
    const std::string kind{storage_class(change.after[misfit.column])};
    queue<9>(pipeline_, put_, {&stream_, &table.schema, &table.name, &key, &image, &column, &kind, &misfit.why, &position}, plan, event);
    keys.add(plan, change.after);
    log_.note(plan, misfit.column, kQuarantined, misfit.why, fmt::format("{}, position {}", plan.describe_key(change), position));
}

void PgQuarantine::drop(PgTablePlan& plan, PgQuarantinedKeys& keys, const std::string& key, std::uint32_t event) {
    const TableName& table = plan.follower().name;
    const std::string json = keys.remove(key);
    queue<4>(pipeline_, drop_, {&stream_, &table.schema, &table.name, &json}, plan, event);
}

void PgQuarantine::truncate(const PgTablePlan& plan, PgQuarantinedKeys& keys, std::uint32_t event) {
    if (keys.empty()) return;
    keys.clear();
    const TableName& table = plan.follower().name;
    const std::string sql = fmt::format("DELETE FROM rowferry.quarantine WHERE stream = {} AND schema = {} AND name = {}", quote_literal(stream_),
                                        quote_literal(table.schema), quote_literal(table.name));
    pipeline_.control(sql.c_str(), PgPipeline::Pending::Kind::truncate, event);
}

}  // namespace rowferry
