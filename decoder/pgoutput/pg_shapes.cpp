#include "decoder/pgoutput/pg_shapes.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"
#include "schemas/table_subset.h"
#include "schemas/shape_diff.h"

namespace rowferry {
namespace {

using Kind = ShapeStep::Kind;

/// The same columns and name: what the stream could tell apart. Values of a moment (missing ones, file nodes) are not looked at.
bool looks_alike(const TableSchema& a, const TableSchema& b) {
    return a.name == b.name && std::ranges::equal(a.columns, b.columns, [](const ColumnSchema& x, const ColumnSchema& y) {
               return x.name == y.name && x.attribute == y.attribute && x.type_oid == y.type_oid && x.type_modifier == y.type_modifier && x.enum_labels == y.enum_labels;
           });
}

constexpr const char* kCopyTableAgain = "Copy the table again with `rowferry copy-table LEADER FOLLOWER --table {}`, or drop the stream and copy everything again";

}  // namespace

PgShapes::PgShapes(const Checkpoint& checkpoint, TableSelection selection, bool partition_roots)
    : stream_{checkpoint.stream}, selection_{std::move(selection)}, partition_roots_{partition_roots}, passed_over_{checkpoint.passed_over}, position_{checkpoint.position.major} {
    for (const TableState& state : checkpoint.tables) {
        tables_[state.shape.leader_id] = {std::make_shared<const TableSchema>(state.shape), state.included_to.major, state.shape.file_node};
        told_new_.insert(state.name);
    }
}

bool PgShapes::same_shape(const Announced& relation, const TableSchema& table) {
    return relation.name == table.name && std::ranges::equal(relation.columns, table.columns, [](const Column& a, const ColumnSchema& b) {
               return a.name == b.name && a.type_oid == b.type_oid && a.type_modifier == b.type_modifier;
           });
}

bool PgShapes::same_identity(const Announced& relation, const TableSchema& table) {
    // Under full the old image has every column, so any key of ours can be taken from it.
    if (table.insert_only || relation.full) return true;
    std::uint16_t index = 0;
    for (const Column& column : relation.columns)
        if (column.identity != table.in_identity(index++)) return false;
    return !table.identity.empty();
}

std::string PgShapes::describe(const Announced& relation) {
    std::string text;
    for (const Column& column : relation.columns)
        text += fmt::format("{}{} (type {}){}", text.empty() ? "" : ", ", printable(column.name, 80), column.type_oid, column.identity ? " key" : "");
    return text;
}

std::string PgShapes::where(const TableSchema& table) const {
    return fmt::format("stream {}, table {}, after {}", stream_, to_string(table.name), to_string(PositionKind::lsn, {position_, 0}));
}

void PgShapes::halt(const TableSchema& known, const std::string& now, const std::string& why) const {
    throw HaltError{fmt::format("{}: the table changed its shape on the leader: it was ({}), now {}. {}. {}", where(known), describe_columns(known), now, why,
                                fmt::format(fmt::runtime(kCopyTableAgain), to_string(known.name)))};
}

void PgShapes::begin(std::uint64_t commit_start) {
    commit_start_ = commit_start;
    rewrites_.clear();
}

void PgShapes::reconnected() {
    relations_.clear();
    rewrites_.clear();
}

void PgShapes::announce(const pgoutput::Relation& relation) {
    const auto known = tables_.find(relation.relation_id);
    if (passes_over({std::string{relation.schema}, std::string{relation.name}})) {
        relations_[relation.relation_id] = {};
        relations_[relation.relation_id].passed_over = true;
        return;
    }
    // With partition roots the leaves are announced as well, but no change names them.
    if (known == tables_.end()) {
        relations_.erase(relation.relation_id);
        return;
    }
    relations_[relation.relation_id] = announced(relation, known->second.included_to);
}

PgShapes::Announced PgShapes::announced(const pgoutput::Relation& relation, std::uint64_t included_to) {
    Announced announced;
    announced.name = {std::string{relation.schema}, std::string{relation.name}};
    announced.full = relation.identity == pgoutput::ReplicaIdentity::full;
    for (const auto& column : relation.columns)
        announced.columns.push_back({column.identity, std::string{column.name}, column.type_oid, column.type_modifier});
    announced.included_to = included_to;
    return announced;
}

bool PgShapes::is_as_known(const pgoutput::Relation& relation) const {
    const auto known = tables_.find(relation.relation_id);
    if (known == tables_.end()) return partition_roots_;
    if (known->second.included_to > position_) return false;
    const Announced now = announced(relation, 0);
    return same_shape(now, *known->second.shape) && same_identity(now, *known->second.shape);
}

const TablePtr* PgShapes::table(std::uint32_t relation, Batch& batch) {
    const auto found = relations_.find(relation);
    if (found == relations_.end()) throw DecodeError{fmt::format("stream {}: a change of relation {}, which was never announced", stream_, relation)};
    Announced& announced = found->second;
    if (announced.passed_over || commit_start_ < announced.included_to) return nullptr;
    if (!announced.bound) bind(relation, announced, batch);
    return &announced.bound;
}

void PgShapes::bind(std::uint32_t oid, Announced& relation, Batch& batch) {
    if (!same_shape(relation, *tables_.at(oid).shape)) {
        const TableSchema after = follow_unannounced(oid, relation);
        change(oid, &after, {}, batch);
    }
    const TablePtr& shape = tables_.at(oid).shape;
    if (!same_identity(relation, *shape))
        throw HaltError{fmt::format("{}: the table changed its replica identity on the leader: now ({}). Set it back, or copy the table again: {}", where(*shape),
                                    describe(relation), fmt::format(fmt::runtime(kCopyTableAgain), to_string(shape->name)))};
    for (const ColumnSchema& column : shape->columns)
        if (binary_ && !pg_binary::is_portable(column.type_oid))
            throw TextNeededError{fmt::format("{}: column {} is {} now", where(*shape), printable(column.name, 80), printable(column.type, 80))};
    relation.bound = shape;
}

/// The shape by which the relation can be read on, from the catalog of now, which may be ahead of it.
TableSchema PgShapes::follow_unannounced(std::uint32_t oid, const Announced& relation) {
    const Known& known = tables_.at(oid);
    const auto now = catalog_ ? catalog_(oid) : std::nullopt;
    if (!now) halt(*known.shape, fmt::format("({})", describe(relation)), "The leader did not tell how, and the table is gone");
    TableSchema after = *known.shape;
    after.name = relation.name;
    after.file_node = now->file_node;
    after.columns.clear();
    for (const Column& column : relation.columns) {
        const auto found = std::ranges::find(now->columns, column.name, &ColumnSchema::name);
        if (found == now->columns.end() || found->type_oid != column.type_oid || found->type_modifier != column.type_modifier)
            halt(*known.shape, fmt::format("({})", describe(relation)), "The leader did not tell how, and its catalog has moved on");
        after.columns.push_back(*found);
    }
    // Columns that stay keep what the checkpoint knows of them.
    for (ColumnSchema& column : after.columns)
        for (const ColumnSchema& old : known.shape->columns)
            if (old.attribute == column.attribute && old.name == column.name && old.type_oid == column.type_oid && old.type_modifier == column.type_modifier) column = old;
    if (const std::string why = unannounced_obstacle(known, after); !why.empty()) halt(*known.shape, fmt::format("({})", describe(relation)), why);
    return after;
}

/// Why a change that came without a word cannot be carried on; empty when the stream shows it in full.
std::string PgShapes::unannounced_obstacle(const Known& known, TableSchema now) const {
    const TableSchema& before = *known.shape;
    now.insert_only = before.insert_only;
    // Another identity shows in the stream itself.
    now.identity.clear();
    for (const std::uint16_t column : before.identity)
        if (const auto place = same_column(before, column, now)) now.identity.push_back(*place);
    std::ranges::sort(now.identity);
    const ShapeDiff diff = diff_shapes(before, now);
    if (!diff.obstacle.empty()) return describe_diff(diff, before, now);
    for (const ShapeStep& step : diff.steps) {
        if (is_optional(step.kind) || step.kind == Kind::drop_not_null || step.kind == Kind::add_label) continue;
        const bool shown = step.kind == Kind::add_column && !now.columns[step.after].not_null && !now.columns[step.after].missing_value &&
                           (known.file_node == 0 || known.file_node == now.file_node);
        if (!shown)
            return fmt::format("Only a new column without a default can be followed without the event triggers of rowferry (docs/capture.md), but {}",
                               describe_diff(diff, before, now));
    }
    return {};
}

void PgShapes::change(std::uint32_t oid, const TableSchema* after, const std::string& obstacle, Batch& batch) {
    Known& known = tables_.at(oid);
    const TablePtr shape = after == nullptr ? nullptr : std::make_shared<const TableSchema>(*after);
    ShapeChange event;
    event.before = batch.keep(known.shape);
    event.after = shape ? batch.keep(shape) : nullptr;
    event.leader_after = event.after;
    event.obstacle = batch.arena().copy(obstacle);
    batch.add(event);
    if (const auto ahead = ahead_.find(oid); ahead != ahead_.end() && (!shape || (ahead->second.shape && looks_alike(*ahead->second.shape, *shape)))) ahead_.erase(ahead);
    if (!shape) {
        tables_.erase(oid);
        relations_.erase(oid);
        return;
    }
    known.shape = shape;
    known.file_node = shape->file_node;
    // Its next change is compared with the new shape.
    if (const auto relation = relations_.find(oid); relation != relations_.end()) relation->second.bound.reset();
}

void PgShapes::report(const pgoutput::DdlMessage& message, Batch& batch) {
    unknown_ = unknown_ || message.unknown;
    if (message.rewrite) {
        std::vector<std::uint32_t> oids = message.rewrite->above;
        oids.push_back(message.rewrite->oid);
        for (const std::uint32_t oid : oids) {
            if (!tables_.contains(oid) || (message.rewrite->reason & ~pgoutput::DdlMessage::Rewrite::kValuesStay) == 0) continue;
            rewrites_[oid] = *message.rewrite;
        }
    }
    for (const auto& table : message.dropped)
        if (const auto known = tables_.find(table.oid); known != tables_.end() && commit_start_ >= known->second.included_to) change(table.oid, nullptr, {}, batch);
    for (const pgoutput::DdlTable& table : message.tables) report_table(table, message, batch);
}

void PgShapes::report_table(const pgoutput::DdlTable& table, const pgoutput::DdlMessage& message, Batch& batch) {
    const auto found = tables_.find(table.oid);
    if (found == tables_.end()) {
        const bool ours = !passes_over(table.name) && !table.extension && !table.partition && (partition_roots_ || !table.partitioned) && table.name.schema != "rowferry" &&
                          table.name.schema != "information_schema" && !table.name.schema.starts_with("pg_");
        if (ours && selection_.selects(Engine::postgresql, table.name)) note_new_table(table.name);
        return;
    }
    Known& known = found->second;
    if (commit_start_ < known.included_to) return;
    TableSchema after = pgoutput::shape_after(*known.shape, table, message.enums);
    try {
        if (!rules_.empty()) after = with_columns(after, carried_columns(rules_.of(after), after));
    } catch (const RefusedError& error) {
        throw HaltError{fmt::format("{}: the rules of the stream no longer fit the table: {}", where(*known.shape), error.what())};
    }
    const ShapeDiff diff = diff_shapes(*known.shape, after);
    std::string obstacle = diff.obstacle;
    if (const auto rewrite = rewrites_.find(table.oid); rewrite != rewrites_.end()) {
        if (obstacle.empty()) obstacle = pgoutput::rewrite_obstacle(rewrite->second, *known.shape, after);
        rewrites_.erase(rewrite);
    }
    known.file_node = table.file_node;
    if (!diff.steps.empty() || !obstacle.empty()) change(table.oid, &after, obstacle, batch);
}

void PgShapes::finish(Batch& batch) {
    for (const auto& [oid, rewrite] : std::exchange(rewrites_, {}))
        if (const auto known = tables_.find(oid); known != tables_.end()) {
            const TableSchema same = *known->second.shape;
            change(oid, &same, "its rows were rewritten, and the log does not show how", batch);
        }
}

void PgShapes::expect(std::uint32_t oid, std::optional<TableSchema> now, std::uint64_t lsn) {
    const auto known = tables_.find(oid);
    if (known == tables_.end() || lsn < known->second.included_to) return;
    if (now && looks_alike(*known->second.shape, *now)) {
        known->second.file_node = now->file_node;
        ahead_.erase(oid);
        return;
    }
    Ahead& ahead = ahead_[oid];
    const bool told = ahead.lsn != 0 && ahead.shape.has_value() == now.has_value() && (!now || looks_alike(*ahead.shape, *now));
    if (!told) ahead = {lsn, std::move(now)};
}

void PgShapes::check(std::uint64_t position) {
    for (auto ahead = ahead_.begin(); ahead != ahead_.end();) {
        const auto& [oid, expected] = *ahead;
        // Where the run ends it would not come to the place any more. With the triggers, what is before the end was told.
        const bool due = position >= expected.lsn || (fence_ && !announced_ && position >= *fence_);
        if (!due) {
            ++ahead;
            continue;
        }
        const Known& known = tables_.at(oid);
        if (!expected.shape)
            throw HaltError{fmt::format("{}: the table was dropped on the leader, and the log does not show where. Drop the stream and copy everything again",
                                        where(*known.shape))};
        const std::string why = unannounced_obstacle(known, *expected.shape);
        if (!why.empty()) halt(*known.shape, fmt::format("it is ({})", describe_columns(*expected.shape)), why);
        ahead = ahead_.erase(ahead);
    }
    position_ = position;
}

std::vector<std::uint32_t> PgShapes::oids() const {
    std::vector<std::uint32_t> result;
    for (const auto& [oid, known] : tables_) result.push_back(oid);
    return result;
}

bool PgShapes::passes_over(const TableName& name) const { return std::ranges::find(passed_over_, name) != passed_over_.end(); }

const TableSchema* PgShapes::find(std::uint32_t oid) const {
    const auto found = tables_.find(oid);
    return found == tables_.end() ? nullptr : found->second.shape.get();
}

void PgShapes::note_new_table(const TableName& name) {
    if (!told_new_.insert(name).second) return;
    spdlog::warn("{} is new on the leader and matches the patterns of stream {}, but is not part of it: add it with `rowferry copy-table LEADER FOLLOWER --table {}`",
                 to_string(name), stream_, to_string(name));
    new_.push_back(name);
}

std::vector<TableName> PgShapes::take_new_tables() { return std::exchange(new_, {}); }

}  // namespace rowferry
