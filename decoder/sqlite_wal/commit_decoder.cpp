#include "decoder/sqlite_wal/commit_decoder.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "decoder/sqlite_wal/schema_reader.h"
#include "decoder/sqlite_wal/table_diff.h"
#include "decoder/sqlite_wal/table_set.h"
#include "decoder/sqlite_wal/tree_diff.h"
#include "decoder/sqlite_wal/tree_map.h"

namespace rowferry {
namespace {


}  // namespace

class CommitDecoder::Parts {
public:
    Parts(const PageView& view, TableChooser& chooser, const DecodeLimits& limits) : after_{view}, tables_{chooser}, table_diff_{limits} {
        tables_.start(after_);
        map_.resize(view.page_count());
        map_.add_tree(after_, kSchemaRoot);
        for (const TableSlot& slot : tables_.slots())
            if (slot.after_root() != 0) map_.add_tree(after_, slot.after_root());
        diff_.set_trees(trees());
    }

    void begin(const PageView& before, const PageView& after, std::span<const std::uint32_t> changed) {
        if (active_) throw HaltError{"the commit before this one was not read to its end"};
        before_ = Database{before};
        after_ = Database{after};
        check_formats();
        schema_touched_ = is_schema_touched(changed);
        schema_changed_ = schema_touched_ && tables_.change(before_, after_);
        if (schema_changed_) diff_.set_trees(trees());
        diff_.find(map_, before_, after_, changed);
        active_ = true;
        order_tables();
        slot_ = 0;
        step_ = Step::enter;
        dropped_ = 0;
    }

    bool fill(Batch& batch, std::size_t budget) {
        if (!active_) return true;
        while (dropped_ < tables_.slots().size() && schema_changed_)
            if (const TableSlot& slot = tables_.slots()[dropped_++]; slot.is_dropped()) announce(batch, slot);
        while (slot_ < work_.size()) {
            if (batch.size_bytes() >= budget) return false;
            advance(batch, budget);
        }
        finish();
        return true;
    }

    [[nodiscard]] std::vector<TablePtr> tables() const {
        std::vector<TablePtr> result;
        for (const TableSlot& slot : tables_.slots())
            if (slot.after && slot.after->use.carried) result.push_back(slot.after->use.carried);
        return result;
    }

private:
    enum class Step : std::uint8_t { enter, removes, shape, updates, inserts };

    /// The schema's tree is number 0, that of slot i is i + 1.
    [[nodiscard]] std::vector<TreeRoots> trees() const {
        std::vector<TreeRoots> result{{kSchemaRoot, kSchemaRoot}};
        for (const TableSlot& slot : tables_.slots()) result.push_back({slot.before_root(), slot.after_root(), !slot.shapes.same_records});
        return result;
    }

    void check_formats() const {
        if (before_.format.page_size != after_.format.page_size || before_.format.usable != after_.format.usable)
            throw DecodeError{fmt::format("the database's pages had {} bytes ({} of them usable) and have {} ({}) now: it is another file", before_.format.page_size, before_.format.usable,
                                          after_.format.page_size, after_.format.usable)};
        const bool carries = std::ranges::any_of(tables_.slots(), [](const TableSlot& slot) { return slot.after_root() != 0; });
        if (carries && before_.format.encoding != after_.format.encoding) throw DecodeError{"the database's text encoding is another one now: it is another file"};
    }

    /// Page 1 is written whenever the file grows; what matters is the part of it that belongs to the schema's tree.
    [[nodiscard]] bool is_schema_touched(std::span<const std::uint32_t> changed) const {
        return std::ranges::any_of(changed, [&](std::uint32_t page) {
            if (page != kSchemaRoot) return map_.root_of(page) == kSchemaRoot || map_.root_of(map_.overflow_of(page)) == kSchemaRoot;
            const std::size_t size = after_.format.usable - kFileHeader;
            return std::memcmp(before_.view->page(1).data() + kFileHeader, after_.view->page(1).data() + kFileHeader, size) != 0;
        });
    }

    /// Tables with something to do, by name.
    void order_tables() {
        work_.clear();
        for (const std::uint32_t tree : diff_.touched_trees())
            if (tree != 0 && tables_.slots()[tree - 1].after_root() != 0) work_.push_back(tree - 1);
        if (schema_changed_)
            for (std::uint32_t slot = 0; slot < tables_.slots().size(); ++slot)
                if (tables_.slots()[slot].is_announced() && std::ranges::find(work_, slot) == work_.end()) work_.push_back(slot);
        std::ranges::sort(work_, {}, [&](std::uint32_t slot) -> const std::string& { return tables_.slots()[slot].after->name; });
    }

    void advance(Batch& batch, std::size_t budget) {
        const TableSlot& slot = tables_.slots()[work_[slot_]];
        switch (step_) {
            case Step::enter:
                table_diff_.begin(diff_, work_[slot_] + 1, before_, after_, slot.shapes);
                step_ = Step::removes;
                return;
            case Step::removes:
                if (hand_out(Operation::remove, batch, budget)) step_ = Step::shape;
                return;
            case Step::shape:
                if (slot.is_announced()) announce(batch, slot);
                step_ = Step::updates;
                return;
            case Step::updates:
                if (hand_out(Operation::update, batch, budget)) step_ = Step::inserts;
                return;
            case Step::inserts:
                if (!hand_out(Operation::insert, batch, budget)) return;
                note_overflow();
                ++slot_;
                step_ = Step::enter;
                return;
        }
    }

    static void announce(Batch& batch, const TableSlot& slot) {
        ShapeChange change;
        change.before = batch.keep(slot.before->use.carried);
        if (slot.after) {
            const CarriedTable& use = slot.after->use;
            change.after = batch.keep(use.carried);
            change.leader_after = use.leader_after ? batch.keep(use.leader_after) : change.after;
            change.obstacle = batch.arena().copy(use.obstacle);
        }
        batch.add(change);
    }

    /// True when there are no more changes of this phase.
    bool hand_out(Operation phase, Batch& batch, std::size_t budget) {
        const TableSlot& slot = tables_.slots()[work_[slot_]];
        const CarriedTable& use = phase == Operation::remove && slot.before ? slot.before->use : slot.after->use;
        if (!use.carried) return true;
        const TableSchema* table = batch.keep(use.carried);
        while (batch.size_bytes() < budget) {
            TableDiff::RowChange change;
            if (!table_diff_.next(phase, change)) return true;
            Operation operation = phase;
            if (use.test) {
                if (!change.before.empty() && !use.test->passes(change.before)) change.before = {};
                if (!change.after.empty() && !use.test->passes(change.after)) change.after = {};
                if (change.before.empty() && change.after.empty()) continue;
                operation = change.before.empty() ? Operation::insert : change.after.empty() ? Operation::remove : Operation::update;
            }
            const std::span<const Cell> before = carried(change.before, use, batch);
            const std::span<const Cell> after = carried(change.after, use, batch);
            if (operation == Operation::update && use.columns.size() < table_width(slot) && same_values(before, after)) continue;
            batch.add(Change{table, operation, before, after});
        }
        return false;
    }

    static std::size_t table_width(const TableSlot& slot) { return slot.after->layout->width(); }

    static std::span<const Cell> carried(std::span<const Cell> row, const CarriedTable& use, Batch& batch) {
        if (row.empty()) return {};
        const std::span<Cell> cells = batch.arena().array<Cell>(use.columns.size());
        for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = copy_into(batch.arena(), row[use.columns[i]]);
        return cells;
    }

    /// Cells that are new on their page, and those of pages whose overflow pages were written.
    void note_overflow() {
        for (const RowRun& run : table_diff_.runs_after()) {
            const BtreePage page = after_.page(run.page);
            for (std::uint32_t i = run.begin; i < run.end; ++i)
                if (const BtreeCell cell = page.cell(i); cell.overflow != 0) overflow_.push_back({run.page, static_cast<std::uint16_t>(i)});
        }
    }

    void finish() {
        diff_.update(map_);
        for (const RowRef& ref : overflow_) map_.add_overflow(after_, after_.page(ref.page).cell(ref.cell), ref.page);
        overflow_.clear();
        if (schema_touched_) note_schema_overflow();
        if (schema_changed_) {
            tables_.settle();
            diff_.set_trees(trees());
        }
        active_ = false;
    }

    void note_schema_overflow() {
        for (const std::uint32_t page : diff_.deltas()[0].after) map_.add_overflow(after_, after_.page(page));
    }

    Database before_;
    Database after_;
    TableSet tables_;
    TreeMap map_;
    TreeDiff diff_;
    TableDiff table_diff_;
    std::vector<std::uint32_t> work_;  // slots
    std::size_t slot_ = 0;             // index in work_
    std::size_t dropped_ = 0;          // slots looked at for tables that were dropped
    Step step_ = Step::enter;
    std::vector<RowRef> overflow_;     // cells whose overflow pages the map has to learn
    bool schema_touched_ = false;  // its rows may be others, of which views and triggers do not matter
    bool schema_changed_ = false;
    bool active_ = false;
};

CommitDecoder::CommitDecoder(const PageView& view, TableChooser& chooser, const DecodeLimits& limits)
    : parts_{std::make_unique<Parts>(view, chooser, limits)} {}
CommitDecoder::~CommitDecoder() = default;

void CommitDecoder::begin(const PageView& before, const PageView& after, std::span<const std::uint32_t> changed) { parts_->begin(before, after, changed); }
bool CommitDecoder::fill(Batch& batch, std::size_t budget) { return parts_->fill(batch, budget); }
std::vector<TablePtr> CommitDecoder::tables() const { return parts_->tables(); }

}  // namespace rowferry
