#include "statements/sqlite/row_digest.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "schemas/digest.h"

namespace rowferry {
namespace {

void changed(void* digest, sqlite3*, int operation, const char* database, const char* table, sqlite3_int64 old_rowid, sqlite3_int64 new_rowid) {
    if (std::strcmp(database, "main") == 0) static_cast<RowDigest*>(digest)->add(operation, table, old_rowid, new_rowid);
}

template <typename Number>
void append_bytes(std::string& row, Number number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    row.append(bytes, sizeof number);
}

std::uint64_t parse_hex(std::string_view digits) {
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return number;
}

}  // namespace

RowDigest::RowDigest(SqliteDatabase& db) : db_{db} { sqlite3_preupdate_hook(db_.handle(), changed, this); }

RowDigest::~RowDigest() { sqlite3_preupdate_hook(db_.handle(), nullptr, nullptr); }

void RowDigest::add(int operation, const char* table, std::int64_t old_rowid, std::int64_t new_rowid) {
    const std::string_view name = table;
    if (name.starts_with("rowferry_") || name.starts_with("sqlite_")) return;
    const int columns = sqlite3_preupdate_count(db_.handle());
    const auto begin_row = [&](std::int64_t rowid) {
        row_.clear();
        append_bytes(row_, name.size());
        row_ += name;
        append_bytes(row_, rowid);
    };
    sqlite3_value* value = nullptr;
    if (operation != SQLITE_INSERT) {
        begin_row(old_rowid);
        for (int i = 0; i < columns; ++i)
            if (sqlite3_preupdate_old(db_.handle(), i, &value) == SQLITE_OK) add_value(value);
        add_row(false);
    }
    if (operation != SQLITE_DELETE) {
        begin_row(new_rowid);
        for (int i = 0; i < columns; ++i)
            if (sqlite3_preupdate_new(db_.handle(), i, &value) == SQLITE_OK) add_value(value);
        add_row(true);
    }
    ++count_;
}

void RowDigest::add_row(bool is_there) {
    const std::string digest = sha256_hex(row_);
    const std::uint64_t low = parse_hex(std::string_view{digest}.substr(0, 16));
    const std::uint64_t high = parse_hex(std::string_view{digest}.substr(16, 16));
    if (is_there) {
        low_ += low;
        high_ += high + (low_ < low ? 1 : 0);
    } else {
        high_ -= high + (low_ < low ? 1 : 0);
        low_ -= low;
    }
}

void RowDigest::add_value(sqlite3_value* value) {
    const int type = sqlite3_value_type(value);
    const double real = type == SQLITE_FLOAT ? sqlite3_value_double(value) : 0;
    // Whether SQLite says 1 or 1.0 of a whole number in a REAL column depends on the triggers of the table.
    const bool whole = type == SQLITE_FLOAT && std::abs(real) < 9e15 && real == std::floor(real);
    row_ += static_cast<char>(whole ? SQLITE_INTEGER : type);
    if (whole) return append_bytes(row_, static_cast<std::int64_t>(real));
    switch (type) {
        case SQLITE_INTEGER: return append_bytes(row_, static_cast<std::int64_t>(sqlite3_value_int64(value)));
        case SQLITE_FLOAT: return append_bytes(row_, real);
        case SQLITE_NULL: return;
        default: break;
    }
    const void* bytes = type == SQLITE_TEXT ? static_cast<const void*>(sqlite3_value_text(value)) : sqlite3_value_blob(value);
    const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
    append_bytes(row_, size);
    if (bytes != nullptr) row_.append(static_cast<const char*>(bytes), size);
}

std::string RowDigest::text() const { return fmt::format("{:016x}{:016x}", high_, low_); }

}  // namespace rowferry
