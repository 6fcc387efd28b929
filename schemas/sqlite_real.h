#pragma once

#include <string>

namespace rowferry {

/// Appends SQL for a finite double or an infinity that every version of SQLite, on every machine, reads as exactly these bits: the shortest decimal where that is certain,
/// else a whole number times or divided by powers of two, as `(5404319552844596.0/(1<<54))`. SQLite's own reading of decimals is a bit off now and then, more so towards the
/// ends of the range, and not alike in all versions. No NaN: SQLite has none.
void append_sqlite_real(double value, std::string& out);

}  // namespace rowferry
