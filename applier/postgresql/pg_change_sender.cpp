#include "applier/postgresql/pg_change_sender.h"

#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"

namespace rowferry {
namespace {

[[noreturn]] void complain(const PgTablePlan::Column& column, std::string_view why) {
    throw ValueError{fmt::format("column {}: {}", printable(column.follower->name, 80), why)};
}

}  // namespace

Cell PgChangeSender::value_of(const PgTablePlan& plan, const Change& change, const PgParameter& parameter) {
    const bool from_before = parameter.image == PgParameter::Image::key && !change.before.empty();
    const PgTablePlan::Column& column = plan.column(parameter.column);
    Cell cell = from_before ? change.before[parameter.column] : change.after[parameter.column];
    if (!cell.is_sent()) complain(column, "the leader did not send the value by which the row is found");
    try {
        cell = convert(column.conversion, cell, scratch_);
    } catch (const ValueError& error) {
        if (column.on_mismatch != OnMismatch::null_value) complain(column, error.what());
        // A row without a key is found by what was made of it.
        if (parameter.image == PgParameter::Image::after) log_.note(plan, parameter.column, kMadeNull, error.what());
        return Cell::null();
    }
    if (cell.is_null()) return cell;
    if (cell.kind() == CellKind::binary) {
        if (!column.takes_binary) throw TextNeededError{fmt::format("{}, column {} has another type here", to_string(plan.leader().name), printable(column.follower->name, 80))};
        return cell;
    }
    if (cell.kind() != CellKind::text && cell.kind() != CellKind::blob)
        complain(column, "the leader sent a value in a form that cannot be bound");
    // libpq takes text up to its first NUL.
    if (!column.binary && plan.leader().engine == Engine::sqlite && std::memchr(cell.bytes().data(), '\0', cell.bytes().size()) != nullptr)
        complain(column, "the text holds a NUL character, which PostgreSQL cannot store");
    return cell;
}

void PgChangeSender::send(PgTablePlan& plan, const Change& change, PgStatement& statement, std::uint32_t event,
                          PgPipeline::Pending::Kind kind) {
    scratch_.clear();
    values_.clear();
    lengths_.clear();
    formats_ = statement.formats;
    for (const PgParameter& parameter : statement.parameters) {
        const Cell cell = value_of(plan, change, parameter);
        values_.push_back(cell.is_null() ? nullptr : cell.bytes().data());
        lengths_.push_back(cell.is_null() ? 0 : static_cast<int>(cell.bytes().size()));
        if (cell.kind() == CellKind::binary) formats_[values_.size() - 1] = 1;
    }
    PgPipeline::Pending pending;
    pending.kind = kind;
    pending.counts_replaced = statement.counts_replaced;
    pending.plan = &plan;
    pending.statement = statement.name.empty() ? nullptr : &statement;
    pending.event = event;
    pipeline_.send(statement, values_, lengths_, formats_, pending);
}

}  // namespace rowferry
