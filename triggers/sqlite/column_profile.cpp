#include "triggers/sqlite/column_profile.h"

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

void add_text(ColumnProfile& profile, std::string_view text) {
    profile.texts = true;
    profile.only_dates = profile.only_dates && is_date(text);
    profile.only_times = profile.only_times && is_time(text);
    profile.only_timestamps = profile.only_timestamps && is_timestamp(text);
    profile.only_zoned_timestamps = profile.only_zoned_timestamps && is_zoned_timestamp(text);
    profile.only_uuids = profile.only_uuids && is_uuid(text);
    profile.only_json = profile.only_json && is_json(text);
    profile.only_numbers = profile.only_numbers && is_number(text);
}

}  // namespace

void add_to_profile(ColumnProfile& profile, const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer:
            profile.integers = true;
            profile.only_zero_or_one = profile.only_zero_or_one && (cell.as_integer() == 0 || cell.as_integer() == 1);
            return;
        case CellKind::real: profile.reals = true; return;
        case CellKind::text: add_text(profile, cell.bytes()); return;
        case CellKind::blob: profile.blobs = true; return;
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged: return;
    }
}

void profile_columns(SqliteDatabase& db, TableSchema& table, const StopSignal& stop) {
    std::string list;
    std::vector<ColumnProfile*> profiles;
    for (ColumnSchema& column : table.columns) {
        if (column.auto_number != AutoNumber::none) {
            column.profile.integers = true;
            column.profile.only_zero_or_one = false;
            continue;
        }
        list += (list.empty() ? "" : ",") + quote_identifier(column.name);
        profiles.push_back(&column.profile);
    }
    if (profiles.empty()) return;
    SqliteStatement rows = db.prepare(fmt::format("SELECT {} FROM main.{}", list, quote_identifier(table.name.name)));
    while (rows.step()) {
        stop.check();
        for (std::size_t i = 0; i < profiles.size(); ++i) add_to_profile(*profiles[i], rows.cell(static_cast<int>(i)));
    }
}

}  // namespace rowferry
