#include "decoder/sqlite_wal/table_set.h"

#include <algorithm>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

std::string definition_of(const std::vector<SchemaRow>& rows, const std::string& table) {
    std::string definition;
    for (const SchemaRow& row : rows) {
        if (!same_sqlite_name(row.table, table)) continue;
        for (const std::string* part : {&row.type, &row.name, &row.sql}) definition.append(*part).push_back('\0');
    }
    return definition;
}

std::uint32_t root_of(const std::vector<SchemaRow>& rows, const std::string& table) {
    const auto row = std::ranges::find_if(rows, [&](const SchemaRow& candidate) { return candidate.type == "table" && candidate.name == table; });
    return row == rows.end() ? 0 : row->root;
}

bool same_table(const SqliteTable& left, const SqliteTable& right) {
    return left.schema == right.schema && left.unique_collations == right.unique_collations && left.hidden_indexes == right.hidden_indexes &&
           left.stored_generated == right.stored_generated && left.rowid_name == right.rowid_name;
}

void add_unique(const SqliteTable& table, TableShapes& shapes, std::span<const int> place) {
    for (const UniqueKey& key : table.schema.unique_keys)
        for (const std::uint16_t column : key.columns)
            if (place[column] >= 0) shapes.unique[static_cast<std::size_t>(place[column])] = true;
    shapes.hidden_unique = shapes.hidden_unique || !table.hidden_indexes.empty();
}

/// How rows of the two compare. A unique index that one side lacks may still be, or already be, on a follower.
TableShapes shapes_of(const KnownTablePtr& before, const KnownTablePtr& after) {
    TableShapes shapes;
    shapes.before = before ? before->layout.get() : nullptr;
    shapes.after = after ? after->layout.get() : nullptr;
    if (!shapes.after) return shapes;
    const std::size_t width = after->layout->width();
    std::vector<int> same(width);
    for (std::size_t i = 0; i < width; ++i) same[i] = static_cast<int>(i);
    shapes.unique.assign(width, false);
    add_unique(after->table, shapes, same);
    shapes.identified = !after->table.schema.identity.empty();
    if (!shapes.before || before == after) return shapes;
    shapes.from = columns_from(before->table.schema, after->table.schema);
    shapes.same_records = same_records(*before->layout, *after->layout, shapes.from);
    std::vector<int> place(before->layout->width(), -1);
    for (std::size_t i = 0; i < width; ++i)
        if (shapes.from[i] >= 0) place[static_cast<std::size_t>(shapes.from[i])] = static_cast<int>(i);
    add_unique(before->table, shapes, place);
    return shapes;
}

TableSlot slot_of(KnownTablePtr before, KnownTablePtr after) {
    TableShapes shapes = shapes_of(before, after);
    return {std::move(before), std::move(after), std::move(shapes)};
}

}  // namespace

void TableSet::start(const Database& database) {
    rows_ = read_schema_rows(database);
    SchemaReader reader{rows_};
    for (const auto& [name, why] : reader.unreadable()) {
        chooser_.unreadable(name, why);
        unreadable_.push_back(name);
    }
    for (const std::string& name : reader.tables()) {
        const KnownTablePtr table = known(reader, name, database.format.encoding, nullptr);
        slots_.push_back(slot_of(table, table));
    }
}

KnownTablePtr TableSet::known(SchemaReader& reader, const std::string& name, TextEncoding encoding, const KnownTable* before) {
    auto read = reader.read(name);
    if (!read) throw HaltError{fmt::format("the leader's table {} was not found in its schema", printable(name, 100))};
    auto result = std::make_shared<KnownTable>();
    result->name = name;
    result->root = root_of(rows_, name);
    result->definition = definition_of(rows_, name);
    result->table = std::move(*read);
    if (before != nullptr) number_columns_like(before->table.schema, result->table.schema);
    if (before == nullptr) {
        result->use = chooser_.appeared(result->table);
    } else if (same_table(before->table, result->table)) {
        result->use = before->use;
        result->use.announce = false;
    } else {
        result->use = chooser_.changed(before->use, before->table, result->table);
    }
    if (result->use.carried) result->layout = reader.layout(result->table, encoding);
    return result;
}

KnownTablePtr TableSet::predecessor(const std::string& name, std::uint32_t root, const std::vector<std::string>& names) const {
    for (const TableSlot& slot : slots_)
        if (slot.after && slot.after->name == name) return slot.after;
    for (const TableSlot& slot : slots_)
        if (slot.after && slot.after->root == root && !std::ranges::binary_search(names, slot.after->name)) return slot.after;
    return nullptr;
}

bool TableSet::change(const Database& before, const Database& after) {
    std::vector<SchemaRow> rows = read_schema_rows(after);
    if (rows == rows_ && before.format.encoding == after.format.encoding) return false;
    rows_ = std::move(rows);
    SchemaReader reader{rows_};
    std::vector<std::string> unreadable;
    for (const auto& [name, why] : reader.unreadable()) {
        if (std::ranges::find(unreadable_, name) == unreadable_.end()) chooser_.unreadable(name, why);
        unreadable.push_back(name);
    }
    unreadable_ = std::move(unreadable);
    std::vector<std::string> names = reader.tables();
    std::ranges::sort(names);
    const bool same_names = std::ranges::equal(names, slots_, {}, {}, [](const TableSlot& slot) { return slot.after->name; });

    std::vector<TableSlot> slots;
    std::vector<KnownTablePtr> kept;
    for (const std::string& name : names) {
        const KnownTablePtr was = predecessor(name, root_of(rows_, name), names);
        // Foreign keys are spelt as their parents are, so other tables may matter to them.
        const bool alone = was && (same_names || was->table.schema.foreign_keys.empty()) && was->name == name && was->definition == definition_of(rows_, name);
        KnownTablePtr now;
        if (alone && was->root == root_of(rows_, name)) {
            now = was;
        } else if (alone) {
            auto moved = std::make_shared<KnownTable>(*was);
            moved->root = root_of(rows_, name);
            moved->use.announce = false;
            now = std::move(moved);
        } else {
            now = known(reader, name, after.format.encoding, was.get());
        }
        slots.push_back(slot_of(was, now));
        if (was) kept.push_back(was);
    }
    for (const TableSlot& slot : slots_) {
        if (std::ranges::find(kept, slot.after) != kept.end()) continue;
        chooser_.dropped(slot.after->use, slot.after->table);
        slots.push_back(slot_of(slot.after, nullptr));
    }
    slots_ = std::move(slots);
    return true;
}

void TableSet::settle() {
    std::erase_if(slots_, [](const TableSlot& slot) { return !slot.after; });
    for (TableSlot& slot : slots_) slot = slot_of(slot.after, slot.after);
}

}  // namespace rowferry
