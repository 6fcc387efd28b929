#include "applier/postgresql/pg_statement.h"

#include <charconv>

#include <fmt/format.h>

namespace rowferry {
namespace {
// No number: casting it is the error, and the server's message quotes it in every language.
constexpr std::string_view kCounts = "rowferry counts ";
}  // namespace

PgStatement counted(const PgStatement& statement) {
    PgStatement counted = statement;
    counted.name += 'c';
    counted.prepared = false;
    counted.sql = fmt::format("WITH rowferry_rows AS ({}{}) SELECT CASE count(*) WHEN 1 THEN 1 ELSE ('{}' || count(*))::integer END FROM rowferry_rows", statement.sql,
                              statement.sql.starts_with("SELECT") ? "" : " RETURNING 1", kCounts);
    return counted;
}

std::optional<std::uint64_t> refused_count(std::string_view sqlstate, std::string_view message) {
    const std::size_t at = message.find(kCounts);
    std::uint64_t count = 0;
    if (sqlstate != "22P02" || at == std::string_view::npos) return std::nullopt;
    const std::string_view digits = message.substr(at + kCounts.size());
    if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc{}) return std::nullopt;
    return count;
}

PgStatement* PgUpdateStatements::find(const ColumnMask& mask) {
    if (last_ < known_.size() && known_[last_].mask == mask) return &known_[last_].statement;
    for (std::size_t i = 0; i < known_.size(); ++i)
        if (known_[i].mask == mask) {
            last_ = i;
            return &known_[i].statement;
        }
    return nullptr;
}

PgStatement& PgUpdateStatements::add(const ColumnMask& mask, PgStatement statement, const std::string& prefix) {
    last_ = known_.size();
    statement.name = prefix + std::to_string(last_);
    return known_.emplace_back(Known{mask, std::move(statement)}).statement;
}

}  // namespace rowferry
