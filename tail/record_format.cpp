#include "tail/record_format.h"

#include <stdexcept>

#include <fmt/format.h>

#include "schemas/digest.h"
#include "tail/json_format.h"
#include "tail/sql_format.h"
#include "tail/text_format.h"

namespace rowferry {

std::string shape_version(const TableSchema& table) {
    std::string text;
    // Lengths in front of names, so that no two shapes make the same text.
    for (const ColumnSchema& column : table.columns)
        text += fmt::format("{}:{}{}:{}{};", column.name.size(), column.name, column.type.size(), column.type, column.not_null ? "!" : "");
    for (const std::uint16_t column : table.primary_key) text += fmt::format("{},", column);
    return sha256_hex(text).substr(0, 16);
}

std::unique_ptr<RecordFormat> make_record_format(TailFormat format, const FormatOptions& options) {
    switch (format) {
        case TailFormat::text: return std::make_unique<TextFormat>(options.colour);
        case TailFormat::json: return std::make_unique<JsonFormat>();
        case TailFormat::sql: return std::make_unique<SqlFormat>(options.displace);
    }
    throw std::logic_error{"tail format"};
}

}  // namespace rowferry
