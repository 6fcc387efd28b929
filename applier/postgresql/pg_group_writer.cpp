#include "applier/postgresql/pg_group_writer.h"

#include <algorithm>

namespace rowferry {
namespace {

// From about this many rows on, leaving the pipeline for a COPY is faster than arrays.
constexpr std::size_t kCopyRows = 200;
// Of one statement: the server works on it while we fill the next one.
constexpr std::uint32_t kArrayRows = 2000;
constexpr std::size_t kArrayBytes = 256 * 1024;

bool inserts(const NetChanges::Row& row) { return row.effect == NetChanges::Effect::insert || row.effect == NetChanges::Effect::replace; }

Change change_of(const NetChanges::Row& row, Operation operation) {
    Change change;
    change.operation = operation;
    change.before = row.key;
    change.after = row.after;
    return change;
}

std::uint32_t element_of(const PgTablePlan& plan, const PgStatement& statement, std::size_t parameter) {
    if (statement.types[parameter] == kTextArrayOid) return kTextOid;
    if (statement.types[parameter] == kByteaArrayOid) return kByteaOid;
    return plan.column(statement.parameters[parameter].column).follower->oid;
}

}  // namespace

bool PgGroupWriter::in_binary(const NetChanges& net) {
    for (const NetChanges::Row& row : net.rows())
        for (const std::span<const Cell> image : {row.key, row.after})
            for (const Cell& cell : image)
                if (cell.is_sent() && !cell.is_null()) return cell.kind() == CellKind::binary;
    return false;
}

PgGroupWriter::Rows& PgGroupWriter::bucket(PgStatement* statement) {
    for (std::size_t i = 0; i < buckets_; ++i)
        if (updated_[i].statement == statement) return updated_[i].rows;
    if (buckets_ == updated_.size()) updated_.emplace_back();
    Bucket& fresh = updated_[buckets_++];
    fresh.statement = statement;
    fresh.rows.clear();
    return fresh.rows;
}

void PgGroupWriter::send(PgTablePlan& plan, const NetChanges& net) {
    PgGroupPlan& group = plan.group(in_binary(net));
    removed_.clear();
    absent_.clear();
    buckets_ = 0;
    for (const NetChanges::Row& row : net.rows()) {
        switch (row.effect) {
            case NetChanges::Effect::insert: break;
            case NetChanges::Effect::update: bucket(group.update(row.after)).push_back(&row); break;
            case NetChanges::Effect::remove:
            case NetChanges::Effect::replace: removed_.push_back(&row); break;
            case NetChanges::Effect::none: absent_.push_back(&row); break;
        }
    }
    if (!removed_.empty()) send_rows(plan, group.remove(), removed_, true);
    if (!absent_.empty()) send_rows(plan, group.remove(), absent_, false);
    for (std::size_t i = 0; i < buckets_; ++i) {
        if (updated_[i].statement != nullptr) {
            send_rows(plan, *updated_[i].statement, updated_[i].rows, true);
            continue;
        }
        for (const NetChanges::Row* row : updated_[i].rows) {
            const Change change = change_of(*row, Operation::update);
            sender_.send(plan, change, plan.update(change), row->event);
        }
    }
}

/// `there`: every row has to be on the follower; else none may be.
void PgGroupWriter::send_rows(PgTablePlan& plan, PgStatement& statement, const Rows& rows, bool there) {
    const std::size_t columns = statement.parameters.size();
    if (arrays_.size() < columns) arrays_.resize(columns);
    std::uint32_t filled = 0;
    std::size_t bytes = 0;
    for (const NetChanges::Row* row : rows) {
        if (filled == 0)
            for (std::size_t i = 0; i < columns; ++i) arrays_[i].begin(element_of(plan, statement, i));
        const Change change = change_of(*row, Operation::update);
        for (std::size_t i = 0; i < columns; ++i) {
            const Cell cell = sender_.value_of(plan, change, statement.parameters[i]);
            if (cell.is_null()) {
                arrays_[i].add_null();
            } else {
                arrays_[i].add(cell.bytes());
                bytes += cell.bytes().size();
            }
        }
        sender_.forget();
        if (++filled < kArrayRows && bytes < kArrayBytes) continue;
        send_array(plan, statement, there ? filled : 0);
        filled = 0;
        bytes = 0;
    }
    if (filled > 0) send_array(plan, statement, there ? filled : 0);
}

void PgGroupWriter::send_array(PgTablePlan& plan, PgStatement& statement, std::uint32_t expected) {
    values_.clear();
    lengths_.clear();
    for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
        const std::string_view array = arrays_[i].finish();
        values_.push_back(array.data());
        lengths_.push_back(static_cast<int>(array.size()));
    }
    PgPipeline::Pending pending;
    pending.kind = PgPipeline::Pending::Kind::rows;
    pending.plan = &plan;
    pending.statement = &statement;
    pending.expected = expected;
    pending.of_many = true;
    pipeline_.send(statement, values_, lengths_, pending);
}

bool PgGroupWriter::copies(std::size_t inserts) { return inserts >= kCopyRows; }

bool PgGroupWriter::copies(const NetChanges& net) {
    std::size_t rows = 0;
    for (const NetChanges::Row& row : net.rows())
        if (inserts(row) && ++rows >= kCopyRows) return true;
    return false;
}

void PgGroupWriter::send_inserts(PgTablePlan& plan, const NetChanges& net, std::string_view before) {
    if (copies(net)) return copy(plan, net, before);
    inserted_.clear();
    for (const NetChanges::Row& row : net.rows())
        if (inserts(row)) inserted_.push_back(&row);
    if (!inserted_.empty()) send_rows(plan, plan.group(in_binary(net)).insert(), inserted_, true);
}

void PgGroupWriter::copy(const PgTablePlan& plan, const NetChanges& net, std::string_view before) {
    copy_.begin(plan, before, in_binary(net) ? RowForm::copy_binary : RowForm::cells);
    for (const NetChanges::Row& row : net.rows())
        if (inserts(row)) copy_.add(change_of(row, Operation::insert));
    copy_.end();
    if (const auto failure = copy_.result()) throw PgGroupFailed{&plan, failure->diagnosis.message};
}

}  // namespace rowferry
