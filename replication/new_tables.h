#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "schemas/source.h"

namespace rowferry {

/// Tables that the leader got while the stream runs, on their way from the reader to the applier. Any thread.
class NewTables {
public:
    void add(std::vector<TableName> names);
    /// Those added since the last call.
    [[nodiscard]] std::vector<TableName> take();

private:
    std::mutex mutex_;
    std::vector<TableName> names_;
};

/// The same source, whose new tables go to `tables`, which outlives it.
[[nodiscard]] std::unique_ptr<Source> tell_new_tables(std::unique_ptr<Source> source, NewTables& tables);

}  // namespace rowferry
