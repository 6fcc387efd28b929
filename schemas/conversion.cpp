#include "schemas/conversion.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "schemas/conversion_parts.h"

namespace rowferry {
namespace conversion {
namespace {

std::string describe(const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::integer: return "an integer value";
        case CellKind::real: return "a real value";
        case CellKind::text: return fmt::format("a text value of {} bytes", cell.bytes().size());
        case CellKind::blob: return fmt::format("a blob value of {} bytes", cell.bytes().size());
        case CellKind::binary: return fmt::format("a value in binary form of {} bytes", cell.bytes().size());
        case CellKind::null:
        case CellKind::unchanged:
        case CellKind::absent: break;
    }
    throw std::logic_error{"a cell without a value has no description"};
}

template <typename Float>
Cell print_number(Float value, Arena& arena) {
    if (std::isinf(value)) return Cell::text(arena.copy(value < 0 ? "-Infinity" : "Infinity"));
    return print(value, arena);
}

}  // namespace

void misfit(const Cell& cell, std::string_view why) { throw ValueError{fmt::format("{} {}", describe(cell), why)}; }

std::string_view text_of(const Cell& cell, std::string_view column) {
    if (cell.kind() != CellKind::text) misfit(cell, fmt::format("in a {} column", column));
    return cell.bytes();
}

Cell print_double(double value, Arena& arena) { return print_number(value, arena); }
Cell print_float(float value, Arena& arena) { return print_number(value, arena); }

double nearest_double(const Cell& cell, std::string_view text) {
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    if (!parse_whole(text, value) || !std::isfinite(value)) misfit(cell, "that is not a number within the range of a double");
    return value;
}

bool parse_integer(std::string_view text, std::int64_t& value) {
    const std::size_t point = text.find('.');
    if (point != std::string_view::npos && (point + 1 == text.size() || text.find_first_not_of('0', point + 1) != std::string_view::npos)) return false;
    return parse_whole(text.substr(0, point), value);
}

}  // namespace conversion

Cell convert(Conversion conversion, const Cell& cell, Arena& arena) {
    if (conversion == Conversion::identity || cell.kind() <= CellKind::null) return cell;
    return conversion.kind < Conversion::to_bigint ? conversion::to_sqlite(conversion, cell, arena)
                                                   : conversion::to_postgresql(conversion, cell, arena);
}

const std::string& conversion_target(const std::string& type, const std::string& base_type) {
    const bool ours = (type == kSqliteValue && base_type == "text") || (type == kSqliteNumeric && base_type == "numeric");
    return ours ? type : base_type;
}

}  // namespace rowferry
