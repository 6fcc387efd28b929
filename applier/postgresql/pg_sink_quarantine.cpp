// The part of the sink that deals with rowferry.quarantine.

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/postgresql/pg_quarantine_store.h"
#include "applier/postgresql/pg_query.h"
#include "applier/postgresql/pg_row_image.h"
#include "applier/postgresql/pg_sink.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

// Of the side table at once, when the stream begins.
constexpr std::size_t kReadmitBytes = 1024 * 1024;

/// Could the whole image be in the table?
bool fits_now(const PgTablePlan& plan, const std::vector<Cell>& row) {
    try {
        return std::none_of(row.begin(), row.end(), [](const Cell& cell) { return !cell.is_sent(); }) && !find_misfit(plan, row);
    } catch (const ValueError&) {
        return false;
    }
}

}  // namespace

/// The change of a table with rows in the side table, or whose own row may belong there.
void PgSink::quarantine(std::uint32_t event, const Change& change, Table& table) {
    counts_due_ = true;
    const PgPlace at = place(event);
    const std::string position = at.commit ? to_string(kind_, *at.commit) : "after " + to_string(kind_, at.after);
    try {
        quarantine_.apply(*table.plan, table.quarantined, change, event, position);
    } catch (const ValueError& error) {
        fail_value(*table.plan, change, error.what(), at);
    }
}

/// Learns which rows of the table are in the side table. Those that fit now are given to `fits`, as inserts.
void PgSink::load_quarantined(Table& table, const std::function<void(const Batch&)>& fits) {
    const PgTablePlan& plan = *table.plan;
    const auto shape = std::make_shared<const TableSchema>(plan.leader());
    Batch batch;
    const auto begin = [&] {
        batch.clear();
        batch.add(Begin{std::max(position_, table.source.included_to), 0, Boundary::exact});
    };
    begin();
    table.quarantined.clear();
    pg_quarantine::load(run_on(link_), stream_, plan.follower().name, [&](const std::string& image) {
        const auto row = image_from_json(image, *shape, batch.arena());
        table.quarantined.add(plan, row);
        if (!fits || !fits_now(plan, row)) return;
        const auto cells = batch.arena().array<Cell>(row.size());
        std::copy(row.begin(), row.end(), cells.begin());
        batch.add(Change{batch.keep(shape), Operation::insert, {}, cells});
        if (batch.size_bytes() < kReadmitBytes) return;
        fits(batch);
        begin();
    });
    if (fits && batch.events().size() > 1) fits(batch);
}

/// Somebody may have given a column a type that takes what is in the side table.
void PgSink::readmit() {
    if (!pg_quarantine::exists(run_on(link_))) return;
    for (auto& [name, table] : tables_) {
        if (!table.plan) continue;
        std::size_t rows = 0;
        load_quarantined(table, [&](const Batch& batch) {
            rows += batch.events().size() - 1;
            apply(batch.events());
        });
        if (rows > 0) spdlog::info("{}: {} row(s) of rowferry.quarantine fit now and are back", to_string(name), rows);
        if (!table.quarantined.empty())
            spdlog::warn("{}: {} row(s) are in rowferry.quarantine, as they do not fit", to_string(name), table.quarantined.size());
    }
    if (!open_) return;
    pipeline_.control("COMMIT", PgPipeline::Pending::Kind::commit);
    pipeline_.finish();
    open_ = false;
}

}  // namespace rowferry
