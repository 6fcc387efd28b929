#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "schemas/conversion.h"
#include "schemas/error.h"

/// What the tests of type mapping and type resolution share.
namespace rowferry {

/// A table `things` with a key and a column `value` of that type.
inline TableSchema one_column(Engine engine, const std::string& type, const ColumnProfile& profile = {}) {
    TableSchema table;
    table.engine = engine;
    table.name = {engine == Engine::sqlite ? "main" : "public", "things"};
    ColumnSchema key;
    key.name = "id";
    key.type = key.base_type = engine == Engine::sqlite ? "INTEGER" : "bigint";
    ColumnSchema column;
    column.name = "value";
    column.type = column.base_type = type;
    column.profile = profile;
    table.columns = {key, column};
    table.primary_key = table.identity = {0};
    return table;
}

/// Does `action` throw RefusedError? Its message otherwise unset.
inline std::optional<std::string> refusal(const std::function<void()>& action) {
    try {
        action();
    } catch (const RefusedError& error) {
        return error.what();
    }
    return std::nullopt;
}

/// The storage classes seen as letters; `shapes`: every shape flag.
inline ColumnProfile profile(std::string_view seen, bool shapes = true) {
    ColumnProfile p;
    p.integers = seen.find('i') != std::string_view::npos;
    p.reals = seen.find('r') != std::string_view::npos;
    p.texts = seen.find('t') != std::string_view::npos;
    p.blobs = seen.find('b') != std::string_view::npos;
    p.only_zero_or_one = p.only_dates = p.only_times = p.only_timestamps = p.only_zoned_timestamps = p.only_uuids = p.only_json =
        p.only_numbers = p.only_nan = p.only_floats = shapes;
    return p;
}
inline ColumnProfile only(bool ColumnProfile::*flag) {
    ColumnProfile p = profile("t", false);
    p.*flag = true;
    return p;
}

}  // namespace rowferry
