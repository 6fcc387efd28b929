#pragma once

#include <cstdint>
#include <span>

#include "decoder/pgoutput/tuple_view.h"
#include "schemas/arena.h"
#include "schemas/cell.h"
#include "schemas/table_schema.h"

namespace rowferry::pgoutput {

/// What a tuple is an image of. Decides what 'n' means and whether 'u' may come.
enum class TupleRole : std::uint8_t {
    inserted,  ///< 'N' of an insert: every column is a value or NULL.
    updated,   ///< 'N' of an update: a column may be unchanged.
    old_key,   ///< 'K': NULL outside the identity means "not sent" and becomes absent; an identity column is never NULL.
    old_full,  ///< 'O': every column is a value or NULL.
};

/// Turns a tuple into cells, one per column of `table` and in that order; text is copied into `arena`, so that the message may go.
/// `cells` must be as wide as the table. `binary`: the binary form was asked for, and every type of the table has one that is_portable().
/// Throws DecodeError that names the table, and the column where there is one, never a value:
/// another number of columns, binary form that was not asked for, a text with a NUL byte or that is not UTF-8 (we set client_encoding), an
/// unchanged value where none may be, a key image for a table without identity or with a NULL in it.
void fill_cells(const TupleView& tuple, TupleRole role, const TableSchema& table, Arena& arena, std::span<Cell> cells, bool binary = false);

/// The same into a new array in `arena`.
[[nodiscard]] std::span<const Cell> tuple_cells(const TupleView& tuple, TupleRole role, const TableSchema& table, Arena& arena, bool binary = false);

}  // namespace rowferry::pgoutput
