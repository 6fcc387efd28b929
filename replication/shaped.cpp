#include "replication/shaped.h"

#include <algorithm>

#include "replication/event_shaper.h"
#include "schemas/table_shape.h"

namespace rowferry {
namespace {

class ShapedSnapshot : public Snapshot {
public:
    ShapedSnapshot(std::unique_ptr<Snapshot> inner, const TableRules& rules, Engine follower, const std::vector<TablePtr>& others)
        : inner_{std::move(inner)}, leader_{inner_->tables()}, shaper_{rules, together(leader_, others), follower} {
        for (const TablePtr& table : leader_) shaped_.push_back(shaper_.shaped(table));
    }

    [[nodiscard]] Position position() const override { return inner_->position(); }
    [[nodiscard]] std::string resume() const override { return inner_->resume(); }
    [[nodiscard]] std::vector<TablePtr> tables() const override { return shaped_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override { return inner_->estimated_rows(*leader_of(table)); }
    void open_table(const TablePtr& table) override { inner_->open_table(leader_of(*table)); }
    bool read_rows(Batch& batch, std::size_t budget) override {
        const std::size_t first = batch.events().size();
        const bool more = inner_->read_rows(batch, budget);
        shaper_.shape(batch, first);
        return more;
    }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override {
        return inner_->next_number(*leader_of(table), column);
    }

private:
    [[nodiscard]] static std::vector<TablePtr> together(std::vector<TablePtr> tables, const std::vector<TablePtr>& others) {
        tables.insert(tables.end(), others.begin(), others.end());
        return tables;
    }
    [[nodiscard]] const TablePtr& leader_of(const TableSchema& table) const {
        const auto found = std::ranges::find(leader_, table.name, [](const TablePtr& known) { return known->name; });
        if (found == leader_.end()) throw std::logic_error{"not a table of the snapshot"};
        return *found;
    }

    std::unique_ptr<Snapshot> inner_;
    std::vector<TablePtr> leader_;
    EventShaper shaper_;
    std::vector<TablePtr> shaped_;
};

class ShapedSource : public Source {
public:
    ShapedSource(std::unique_ptr<Source> inner, EventShaper shaper) : inner_{std::move(inner)}, shaper_{std::move(shaper)} {}

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override {
        const std::size_t first = batch.events().size();
        inner_->read(batch, budget, wait);
        shaper_.shape(batch, first);
    }
    void report(Position durable) override { inner_->report(durable); }
    void wake_on(int fd) override { inner_->wake_on(fd); }
    void cut_at(Position fence) override { inner_->cut_at(fence); }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return inner_->take_new_tables(); }
    [[nodiscard]] bool leader_waits_for_us() const override { return inner_->leader_waits_for_us(); }

private:
    std::unique_ptr<Source> inner_;
    EventShaper shaper_;
};

std::vector<TablePtr> shapes_of(const std::vector<TableState>& states) {
    std::vector<TablePtr> tables;
    for (const TableState& state : states) tables.push_back(std::make_shared<const TableSchema>(state.shape));
    return tables;
}

}  // namespace

std::unique_ptr<Snapshot> shaped_snapshot(std::unique_ptr<Snapshot> snapshot, const TableRules& rules, Engine follower, const std::vector<TablePtr>& others) {
    if (rules.empty()) return snapshot;
    return std::make_unique<ShapedSnapshot>(std::move(snapshot), rules, follower, others);
}

std::unique_ptr<Source> shaped_source(std::unique_ptr<Source> source, const TableRules& rules, const std::vector<TableState>& tables, Engine follower) {
    if (rules.empty()) return source;
    return std::make_unique<ShapedSource>(std::move(source), EventShaper{rules, shapes_of(tables), follower});
}

Checkpoint shaped_checkpoint(const Checkpoint& checkpoint, const TableRules& rules, Engine follower) {
    Checkpoint shaped = checkpoint;
    if (rules.empty()) return shaped;
    const std::vector<TablePtr> tables = shape_tables(rules, shapes_of(checkpoint.tables), follower);
    for (std::size_t i = 0; i < tables.size(); ++i) shaped.tables[i].shape = *tables[i];
    return shaped;
}

std::vector<TableState> table_states(const std::vector<TablePtr>& leader, const TableRules& rules, Engine follower, Position included_to) {
    std::vector<TableState> states;
    states.reserve(leader.size());
    const std::vector<TablePtr> shaped = shape_tables(rules, leader, follower);
    for (std::size_t i = 0; i < leader.size(); ++i) {
        states.push_back({leader[i]->name, included_to, *leader[i]});
        states.back().shape.renamed_to = shaped[i]->renamed_to;
    }
    return states;
}

}  // namespace rowferry
