#include "triggers/sqlite/column_profile.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "schemas/identifier.h"
#include "schemas/value_shapes.h"
#include "triggers/sqlite/row_filter.h"

namespace rowferry {
namespace {

void add_text(ColumnProfile& profile, std::string_view text) {
    const std::uint64_t characters = count_characters(text);
    profile.shortest_text = profile.texts ? std::min(profile.shortest_text, characters) : characters;
    profile.longest_text = std::max(profile.longest_text, characters);
    profile.texts = true;
    profile.bad_texts = profile.bad_texts || find_bad_text(text) != std::string_view::npos;
    profile.only_nan = profile.only_nan && text == "NaN";
    profile.only_dates = profile.only_dates && is_date(text);
    profile.only_times = profile.only_times && is_time(text);
    profile.only_timestamps = profile.only_timestamps && is_timestamp(text);
    profile.only_zoned_timestamps = profile.only_zoned_timestamps && is_zoned_timestamp(text);
    profile.only_uuids = profile.only_uuids && is_uuid(text);
    // Every number but NaN and the infinities, which do not end in a digit, is JSON, and sooner known to be.
    const bool number = (profile.only_numbers || profile.only_json) && is_number(text);
    profile.only_json = profile.only_json && ((number && text.back() >= '0' && text.back() <= '9') || is_json(text));
    profile.only_numbers = profile.only_numbers && number;
}

void add_integer(ColumnProfile& profile, std::int64_t value) {
    profile.least_integer = profile.integers ? std::min(profile.least_integer, value) : value;
    profile.most_integer = profile.integers ? std::max(profile.most_integer, value) : value;
    profile.integers = true;
    profile.only_zero_or_one = profile.only_zero_or_one && (value == 0 || value == 1);
}

/// Does the value survive the way through a float?
bool is_float(double value) {
    if (std::isinf(value)) return true;
    return std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()) && static_cast<double>(static_cast<float>(value)) == value;
}

}  // namespace

void add_to_profile(ColumnProfile& profile, const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: add_integer(profile, cell.as_integer()); return;
        case CellKind::real:
            profile.reals = true;
            profile.only_floats = profile.only_floats && is_float(cell.as_real());
            return;
        case CellKind::text: add_text(profile, cell.bytes()); return;
        case CellKind::blob: profile.blobs = true; return;
        case CellKind::null:
        case CellKind::absent:
        case CellKind::unchanged: return;
    }
}

void profile_columns(SqliteDatabase& db, TableSchema& table, const std::string& filter, const StopSignal& stop) {
    std::string list;
    std::vector<ColumnProfile*> profiles;
    for (ColumnSchema& column : table.columns) {
        if (column.auto_number != AutoNumber::none) {
            SqliteStatement limits = db.prepare(fmt::format("SELECT min({0}), max({0}) FROM main.{1}{2}", quote_identifier(column.name),
                                                            quote_identifier(table.name.name), where_clause(filter)));
            if (limits.step())
                for (const int limit : {0, 1}) add_to_profile(column.profile, limits.cell(limit));
            column.profile.integers = true;
            column.profile.only_zero_or_one = false;
            continue;
        }
        list += (list.empty() ? "" : ",") + quote_identifier(column.name);
        profiles.push_back(&column.profile);
    }
    if (profiles.empty()) return;
    SqliteStatement rows = db.prepare(fmt::format("SELECT {} FROM main.{}{}", list, quote_identifier(table.name.name), where_clause(filter)));
    while (rows.step()) {
        stop.check();
        for (std::size_t i = 0; i < profiles.size(); ++i) add_to_profile(*profiles[i], rows.cell(static_cast<int>(i)));
    }
}

}  // namespace rowferry
