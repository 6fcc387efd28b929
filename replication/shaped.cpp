#include "replication/shaped.h"

#include <algorithm>

#include "replication/event_shaper.h"
#include "schemas/table_shape.h"

namespace rowferry {
namespace {

/// Rows with the tables of the rules, read by a reader of rows with the leader's.
class ShapedReader : public RowReader {
public:
    ShapedReader(RowReader& inner, EventShaper shaper, std::vector<TablePtr> leader) : inner_{inner}, shaper_{std::move(shaper)}, leader_{std::move(leader)} {}
    ShapedReader(std::unique_ptr<RowReader> inner, EventShaper shaper, std::vector<TablePtr> leader)
        : own_{std::move(inner)}, inner_{*own_}, shaper_{std::move(shaper)}, leader_{std::move(leader)} {}

    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override {
        const TablePtr& leader = leader_of(*table);
        return inner_.open_table(leader, range, shaper_.keeps_values(leader) ? wanted : RowForm::cells);
    }
    bool read_rows(Batch& batch, std::size_t budget) override {
        const std::size_t first = batch.events().size();
        const bool more = inner_.read_rows(batch, budget);
        shaper_.shape(batch, first);
        return more;
    }
    bool read_raw(RawRows& rows, std::size_t budget) override { return inner_.read_raw(rows, budget); }

    [[nodiscard]] const TablePtr& leader_of(const TableSchema& table) const {
        const auto found = std::ranges::find(leader_, table.name, [](const TablePtr& known) { return known->name; });
        if (found == leader_.end()) throw std::logic_error{"not a table of the snapshot"};
        return *found;
    }
    [[nodiscard]] std::vector<TablePtr> shaped_tables() {
        std::vector<TablePtr> shaped;
        for (const TablePtr& table : leader_) shaped.push_back(shaper_.shaped(table));
        return shaped;
    }

private:
    std::unique_ptr<RowReader> own_;
    RowReader& inner_;
    EventShaper shaper_;
    std::vector<TablePtr> leader_;
};

class ShapedSnapshot : public Snapshot {
public:
    ShapedSnapshot(std::unique_ptr<Snapshot> inner, const TableRules& rules, Engine follower, const std::vector<TablePtr>& others)
        : inner_{std::move(inner)},
          rules_{rules},
          follower_{follower},
          all_{together(inner_->tables(), others)},
          reader_{*inner_, shaper(), inner_->tables()},
          shaped_{reader_.shaped_tables()} {}

    [[nodiscard]] Position position() const override { return inner_->position(); }
    [[nodiscard]] std::string resume() const override { return inner_->resume(); }
    [[nodiscard]] std::vector<TablePtr> tables() const override { return shaped_; }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override {
        return inner_->estimated_rows(*reader_.leader_of(table));
    }
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override { return reader_.open_table(table, range, wanted); }
    bool read_rows(Batch& batch, std::size_t budget) override { return reader_.read_rows(batch, budget); }
    bool read_raw(RawRows& rows, std::size_t budget) override { return reader_.read_raw(rows, budget); }
    [[nodiscard]] std::vector<std::string> ranges(const TableSchema& table, std::size_t most) override {
        return inner_->ranges(*reader_.leader_of(table), most);
    }
    [[nodiscard]] std::unique_ptr<RowReader> another_reader() override {
        auto another = inner_->another_reader();
        if (!another) return nullptr;
        return std::make_unique<ShapedReader>(std::move(another), shaper(), inner_->tables());
    }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override {
        return inner_->next_number(*reader_.leader_of(table), column);
    }

private:
    [[nodiscard]] static std::vector<TablePtr> together(std::vector<TablePtr> tables, const std::vector<TablePtr>& others) {
        tables.insert(tables.end(), others.begin(), others.end());
        return tables;
    }
    [[nodiscard]] EventShaper shaper() const { return {rules_, all_, follower_}; }

    std::unique_ptr<Snapshot> inner_;
    TableRules rules_;
    Engine follower_;
    std::vector<TablePtr> all_;
    ShapedReader reader_;
    std::vector<TablePtr> shaped_;
};

class ShapedSource : public Source {
public:
    ShapedSource(std::unique_ptr<Source> inner, EventShaper shaper) : inner_{std::move(inner)}, shaper_{std::move(shaper)} {}

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override {
        const std::size_t first = batch.events().size();
        try {
            inner_->read(batch, budget, wait);
        } catch (...) {
            shape(batch, first);  // what came before the failure is applied, masked like everything else
            throw;
        }
        shape(batch, first);
    }
    void report(Position durable) override { inner_->report(durable); }
    void wake_on(int fd) override { inner_->wake_on(fd); }
    void cut_at(Position fence) override { inner_->cut_at(fence); }
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return inner_->take_new_tables(); }
    [[nodiscard]] bool leader_waits_for_us() const override { return inner_->leader_waits_for_us(); }

private:
    void shape(Batch& batch, std::size_t first) {
        try {
            shaper_.shape(batch, first);
        } catch (...) {
            for (Event& event : batch.events_being_filled().subspan(first)) event = Idle{};
            throw;
        }
    }

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
