#include "db/column_profile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "schemas/identifier.h"
#include "schemas/value_shapes.h"
#include "db/row_filter.h"

namespace rowferry {
namespace {

/// Which shapes do all texts up to here have? A column that has shown to be plain text is not asked again.
void add_shapes(ColumnProfile& profile, std::string_view text) {
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

bool may_have_shape(const ColumnProfile& profile) {
    return profile.only_nan || profile.only_dates || profile.only_times || profile.only_timestamps || profile.only_zoned_timestamps || profile.only_uuids ||
           profile.only_json || profile.only_numbers;
}

void add_text(ColumnProfile& profile, std::string_view text) {
    const TextScan scan = scan_text(text);
    profile.shortest_text = profile.texts ? std::min<std::uint64_t>(profile.shortest_text, scan.characters) : scan.characters;
    profile.longest_text = std::max<std::uint64_t>(profile.longest_text, scan.characters);
    profile.texts = true;
    profile.bad_texts = profile.bad_texts || scan.bad;
    if (may_have_shape(profile)) add_shapes(profile, text);
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

constexpr const char* kFunction = "rowferry_profile";
constexpr std::size_t kColumnsPerCall = 90;  // SQLite allows a function 127 arguments, older versions 100

struct Looked {
    std::vector<ColumnProfile*> profiles;
    const StopSignal& stop;
};

/// rowferry_profile(first, column, …): adds the columns of a row to the profiles from number `first` on.
void look_at_row(sqlite3_context* context, int count, sqlite3_value** values) {
    const auto& looked = *static_cast<const Looked*>(sqlite3_user_data(context));
    if (looked.stop.requested()) return sqlite3_result_error_code(context, SQLITE_INTERRUPT);
    try {
        ColumnProfile* const* const profiles = looked.profiles.data() + sqlite3_value_int64(values[0]);
        for (int i = 1; i < count; ++i) add_to_profile(*profiles[i - 1], cell_of(values[i]));
    } catch (const std::exception&) {
        sqlite3_result_error_nomem(context);
    }
}

void no_result(sqlite3_context*) {}

/// SQLite hands whole rows to an aggregate of ours: less than half the calls of fetching them, and no look-up of a column.
void look_at_rows(SqliteDatabase& db, const std::vector<std::string>& names, const Looked& looked, const std::string& source) {
    sqlite3_create_function_v2(db.handle(), kFunction, -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, const_cast<Looked*>(&looked), nullptr, &look_at_row, &no_result, nullptr);
    std::string calls;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i % kColumnsPerCall == 0) calls += fmt::format("{}{}({}", i == 0 ? "" : "), ", kFunction, i);
        calls += "," + names[i];
    }
    db.prepare(fmt::format("SELECT {}) FROM {}", calls, source)).run();
    sqlite3_create_function_v2(db.handle(), kFunction, -1, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr, nullptr);
}

/// What has no exact form in UTF-8 is told by the name of its column, which fetching knows.
void fetch_rows(SqliteDatabase& db, const std::vector<std::string>& names, const Looked& looked, const std::string& source) {
    SqliteStatement rows = db.prepare(fmt::format("SELECT {} FROM {}", fmt::join(names, ","), source));
    while (rows.step()) {
        looked.stop.check();
        for (std::size_t i = 0; i < looked.profiles.size(); ++i) add_to_profile(*looked.profiles[i], rows.cell(static_cast<int>(i)));
    }
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
        case CellKind::unchanged:
        case CellKind::binary: return;
    }
}

void profile_columns(SqliteDatabase& db, TableSchema& table, const std::string& filter, const StopSignal& stop) {
    const std::string source = fmt::format("main.{}{}", quote_identifier(table.name.name), where_clause(filter));
    std::vector<std::string> names;
    Looked looked{{}, stop};
    for (ColumnSchema& column : table.columns) {
        if (column.auto_number != AutoNumber::none) {
            // One at a time is a jump to an end of the table; both in one SELECT would be a scan.
            SqliteStatement limits = db.prepare(fmt::format("SELECT (SELECT min({0}) FROM {1}), (SELECT max({0}) FROM {1})", quote_identifier(column.name), source));
            if (limits.step())
                for (const int limit : {0, 1}) add_to_profile(column.profile, limits.cell(limit));
            column.profile.integers = true;
            column.profile.only_zero_or_one = false;
            continue;
        }
        names.push_back(quote_identifier(column.name));
        looked.profiles.push_back(&column.profile);
    }
    if (names.empty()) return;
    if (db.guards_utf16())
        fetch_rows(db, names, looked, source);
    else
        look_at_rows(db, names, looked, source);
}

}  // namespace rowferry
