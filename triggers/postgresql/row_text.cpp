#include "triggers/postgresql/row_text.h"

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/value_shapes.h"

namespace rowferry::pg_capture {
namespace {

[[noreturn]] void fail(std::string_view what, std::size_t offset) { throw DecodeError{fmt::format("a row of the change log: {} at byte {}", what, offset)}; }

/// One field and where it ends: at the comma or parenthesis behind it.
struct Field {
    std::string_view raw;  ///< Without the quotes around it.
    bool quoted = false;
    bool escaped = false;  ///< There are doubled characters in it.
    std::size_t end = 0;
};

Field next_field(std::string_view text, std::size_t start) {
    Field field;
    if (start < text.size() && text[start] == '"') {
        field.quoted = true;
        std::size_t at = start + 1;
        for (;; ++at) {
            if (at >= text.size()) fail("an open quote", start);
            if (text[at] == '\\' || (text[at] == '"' && at + 1 < text.size() && text[at + 1] == '"')) {
                if (at + 1 >= text.size() || text[at + 1] != text[at]) fail("a single backslash", at);
                field.escaped = true;
                ++at;
            } else if (text[at] == '"') {
                break;
            }
        }
        field.raw = text.substr(start + 1, at - start - 1);
        field.end = at + 1;
    } else {
        std::size_t at = start;
        while (at < text.size() && text[at] != ',' && text[at] != ')') {
            if (text[at] == '"' || text[at] == '(' || text[at] == '\\') fail("a character that would have to be quoted", at);
            ++at;
        }
        field.raw = text.substr(start, at - start);
        field.end = at;
    }
    if (field.end >= text.size() || (text[field.end] != ',' && text[field.end] != ')')) fail("no end of a field", field.end);
    return field;
}

Cell value(const Field& field, Arena& arena, std::size_t offset) {
    if (!field.quoted && field.raw.empty()) return Cell::null();
    std::string_view text;
    if (!field.escaped) {
        text = arena.copy(field.raw);
    } else {
        char* const start = arena.bytes(field.raw.size());
        char* out = start;
        for (std::size_t i = 0; i < field.raw.size(); ++i) {
            if (field.raw[i] == '"' || field.raw[i] == '\\') ++i;
            *out++ = field.raw[i];
        }
        *out = '\0';
        text = {start, static_cast<std::size_t>(out - start)};
    }
    if (find_bad_text(text) != std::string_view::npos) fail("text that is not UTF-8", offset);
    return Cell::text(text);
}

template <typename Use>
std::size_t each_field(std::string_view text, Use use) {
    if (text.size() < 2 || text.front() != '(' || text.back() != ')') fail("no parentheses", 0);
    std::size_t count = 0;
    for (std::size_t at = 1;; ++count) {
        const Field field = next_field(text, at);
        use(count, field, at);
        at = field.end + 1;
        if (text[field.end] == ',') continue;
        if (at != text.size()) fail("something behind the last field", at);
        return count + 1;
    }
}

}  // namespace

std::size_t count_fields(std::string_view text) {
    return each_field(text, [](std::size_t, const Field&, std::size_t) {});
}

void decode_row(std::string_view text, const FieldMap& map, Arena& arena, std::span<Cell> cells) {
    if (map.empty() && text == "()") return;
    const std::size_t count = each_field(text, [&](std::size_t number, const Field& field, std::size_t at) {
        if (number >= map.size()) fail(fmt::format("more than {} fields", map.size()), at);
        if (map[number] >= 0) cells[static_cast<std::size_t>(map[number])] = value(field, arena, at);
    });
    if (count != map.size()) fail(fmt::format("{} fields, not {}", count, map.size()), text.size());
}

}  // namespace rowferry::pg_capture
