#include "tail/tail_printer.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace rowferry {
namespace {

unsigned kind_of(Operation operation) {
    switch (operation) {
        case Operation::insert: return record_kind::insert;
        case Operation::update: return record_kind::update;
        case Operation::remove: return record_kind::remove;
    }
    throw std::logic_error{"operation"};
}

}  // namespace

TailPrinter::TailPrinter(std::unique_ptr<RecordFormat> format, Output output, unsigned kinds, const SpoolOptions& spool)
    : format_{std::move(format)}, output_{std::move(output)}, kinds_{kinds}, pending_{spool.directory, spool.memory} {}

void TailPrinter::set_leader(const LeaderIdentity& leader, PositionKind kind) {
    leader_ = to_string(leader);
    kind_ = kind;
}

void TailPrinter::apply(std::span<const Event> events) {
    of_call_.clear();
    for (const Event& event : events) std::visit([this](const auto& e) { step(e); }, event);
}

void TailPrinter::abandon() noexcept {
    pending_.clear();
    described_here_.clear();
}

void TailPrinter::flush(bool kept) {
    output_.flush();
    if (kept) output_.sync();
}

const PrintedTable& TailPrinter::printed(const TableSchema& table) {
    if (const auto known = of_call_.find(&table); known != of_call_.end()) return *known->second;
    std::unique_ptr<PrintedTable>& kept = tables_[table.name];
    if (!kept || !(kept->shape == table)) {
        of_call_.clear();  // what it holds of an older shape is overwritten
        if (!kept) kept = std::make_unique<PrintedTable>();
        *kept = PrintedTable{table, shape_version(table), {}, {}};
        format_->prepare(*kept);
    }
    of_call_.emplace(&table, kept.get());
    return *kept;
}

/// In front of the first record that names this version of the table.
void TailPrinter::describe(const PrintedTable& table) {
    std::string version = to_string(table.shape.name) + " " + table.version;
    if (described_.contains(version) || std::ranges::find(described_here_, version) != described_here_.end()) return;
    described_here_.push_back(std::move(version));
    body_.clear();
    format_->description(table, body_);
    if (!body_.empty()) pending_.add(body_, true);
}

void TailPrinter::add_record() {
    pending_.add(body_, false);
    if (body_.capacity() > 1024 * 1024) body_ = {};
}

void TailPrinter::step(const Begin& begin) {
    abandon();
    xid_ = begin.xid;
    merged_ = begin.boundary == Boundary::merged;
    ordinal_ = 0;
}

void TailPrinter::step(const Change& change) {
    ++ordinal_;
    if ((kinds_ & kind_of(change.operation)) == 0) return;
    const PrintedTable& table = printed(*change.table);
    describe(table);
    body_.clear();
    format_->change(change, table, ordinal_, body_);
    add_record();
}

void TailPrinter::step(const Truncate& truncate) {
    ++ordinal_;
    if ((kinds_ & record_kind::truncate) == 0) return;
    std::vector<const PrintedTable*> tables;
    for (const TableSchema* table : truncate.tables) {
        tables.push_back(&printed(*table));
        describe(*tables.back());
    }
    body_.clear();
    format_->truncate(truncate, tables, ordinal_, body_);
    add_record();
}

void TailPrinter::step(const ShapeChange& change) {
    ++ordinal_;
    // Its own copies: both may have the same name.
    const auto prepared = [this](const TableSchema& table) {
        PrintedTable made{table, shape_version(table), {}, {}};
        format_->prepare(made);
        return made;
    };
    if ((kinds_ & record_kind::shape) == 0) return;
    const PrintedTable before = prepared(*change.before);
    std::optional<PrintedTable> after;
    if (change.after != nullptr) {
        after = prepared(*change.after);
        described_here_.push_back(to_string(after->shape.name) + " " + after->version);  // the record itself says it all
    }
    body_.clear();
    format_->shape(change, before, after ? &*after : nullptr, ordinal_, body_);
    add_record();
}

void TailPrinter::Taken::add(std::string_view text) {
    ++pieces;
    hash = hash * 31 + std::hash<std::string_view>{}(text);
}

template <typename Take>
void TailPrinter::format(const TransactionHead& head, Take take) {
    text_.clear();
    format_->begin(head, text_);
    pending_.for_each([&](std::string_view body, bool description, bool last) {
        if (description)
            format_->described(body, text_);
        else
            format_->record(body, last, text_);
        take(std::string_view{text_});
        text_.clear();
    });
    format_->end(text_);
    take(std::string_view{text_});
    if (text_.capacity() > 1024 * 1024) text_ = {};
}

void TailPrinter::print(const TransactionHead& head) {
    if (taken_.pieces > 0) {
        // Merged transactions may be cut elsewhere this time.
        Taken again{head.position};
        format(head, [&](std::string_view text) {
            if (again.pieces < taken_.pieces) again.add(text);
        });
        if (!(again == taken_)) {
            text_.clear();
            format_->cut_off(text_);
            output_.write(text_);
            taken_ = {};
        }
    }
    taken_.end = head.position;
    std::uint64_t passed_over = taken_.pieces;
    format(head, [&](std::string_view text) {
        if (passed_over > 0) {
            --passed_over;
            return;
        }
        output_.write(text);
        taken_.add(text);
    });
    taken_ = {};
}

void TailPrinter::step(const Commit& commit) {
    if (commit.position > printed_to_ && pending_.changes() > 0) {
        print({leader_, kind_, commit.position, commit.time_us, xid_, merged_});
        records_ += pending_.changes();
        given_ = commit.position;
        described_.insert(described_here_.begin(), described_here_.end());
    }
    printed_to_ = std::max(printed_to_, commit.position);
    abandon();
}

}  // namespace rowferry
