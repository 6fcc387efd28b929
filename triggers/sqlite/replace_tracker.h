#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/arena.h"
#include "schemas/cell.h"

namespace rowferry {

/// Decides which tentative removals ('i' and 'u' rows of the change table, see change_table.h) were real.
///
/// An entry says: row K has these values in the columns of a unique key, and a new row with the same values is about to be written. When
/// the next insert (or update) with those values is logged and nothing was logged about K since, K must have been removed by REPLACE,
/// because both cannot be there. When nothing came of it (OR IGNORE, an UPSERT, an error) the entry stays true and harmless until K itself
/// changes or the batch of whole transactions ends. In between other rows may be logged: cascades and user triggers.
/// Pure; one thread.
class ReplaceTracker {
public:
    /// Entries kept; the oldest is forgotten beyond that. A row that is replaced is confirmed right after its entry, so only
    /// ignored ones pile up.
    static constexpr std::size_t kMaxEntries = 4096;

    void add(std::uint32_t table, bool by_update, std::vector<std::uint16_t> columns, std::string values, std::string key);

    /// Something was logged about the row with this key: what was known of it is void.
    void forget(std::uint32_t table, std::string_view key);

    /// A new row was logged. Calls `removed` with the key of each row that gave way, and forgets these.
    /// `value` gives the new row's cell in a column.
    void confirm(std::uint32_t table, bool by_update, const std::function<Cell(std::uint16_t)>& value,
                 const std::function<void(std::string_view)>& removed);

    /// A commit boundary.
    void clear() noexcept { entries_.clear(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

private:
    struct Entry {
        std::uint32_t table;
        bool by_update;
        std::vector<std::uint16_t> columns;
        std::string values;
        std::string key;
    };
    std::deque<Entry> entries_;
};

/// Cells as bytes that are equal exactly when kinds and values are.
void append_packed(std::string& packed, const Cell& cell);
/// Back again, into an arena.
[[nodiscard]] std::vector<Cell> unpack_cells(std::string_view packed, Arena& arena);

}  // namespace rowferry
