#include "db/profile_memory.h"

#include <algorithm>

#include "db/column_profile.h"

namespace rowferry {
namespace {

bool same_names(const std::vector<ColumnSchema>& left, const std::vector<ColumnSchema>& right) {
    return std::ranges::equal(left, right, {}, &ColumnSchema::name, &ColumnSchema::name);
}

}  // namespace

void ProfileMemory::profile(TableSchema& table, const std::string& filter, const StopSignal& stop) {
    const std::int64_t version = db_.query_integer("PRAGMA main.data_version");
    if (version != data_version_) looked_.clear();
    data_version_ = version;
    std::vector<ColumnSchema>& known = looked_[{table.name, filter}];
    if (known.empty() || !same_names(known, table.columns)) {
        profile_columns(db_, table, filter, stop);
        known = table.columns;
        return;
    }
    for (std::size_t i = 0; i < known.size(); ++i) table.columns[i].profile = known[i].profile;
}

}  // namespace rowferry
