#include "tests/support/stream_model.h"

#include <bit>
#include <cstdlib>
#include <tuple>

#include <fmt/format.h>

#include "tests/support/pg_cluster.h"
#include "tests/support/random.h"
#include "tests/support/sqlite_db.h"

namespace rowferry::test {
namespace {

using nlohmann::json;

testing::AssertionResult wrong(const std::string& what, const json& record) { return testing::AssertionFailure() << what << ": " << record.dump().substr(0, 3000); }

/// As numbers, so that they compare: `lsn:16/B374D848`, `seq:42`, `wal:1:4`.
std::tuple<std::uint64_t, std::uint64_t> ordered(const std::string& position) {
    const std::string numbers = position.substr(position.find(':') + 1);
    const std::size_t slash = numbers.find_first_of("/.:");
    const int base = position.starts_with("lsn:") ? 16 : 10;
    return {std::stoull(numbers.substr(0, slash), nullptr, base), slash == std::string::npos ? 0 : std::stoull(numbers.substr(slash + 1), nullptr, base)};
}

std::string pg_literal(const json& value) {
    if (value.is_null()) return "NULL";
    if (value.is_string()) return sql_text(value.get<std::string>());
    if (!value.is_object()) return sql_text(value.dump());
    const auto tagged = value.begin();
    return sql_text((tagged.key() == "bytes" ? "\\x" : "") + tagged->get<std::string>());
}

/// SQLite reads decimals at the ends of a double's range one bit off.
std::string exactly(double value) { return fmt::format("from_bits({})", std::bit_cast<std::int64_t>(value)); }

std::string sqlite_literal(const json& value) {
    if (value.is_null()) return "NULL";
    if (value.is_string()) {
        std::string hex;  // NUL bytes too
        for (const unsigned char c : value.get<std::string>()) hex += fmt::format("{:02x}", c);
        return "CAST(x'" + hex + "' AS TEXT)";
    }
    if (value.is_number_integer()) return value.dump();
    if (value.is_number()) return exactly(value.get<double>());
    const auto tagged = value.begin();
    const std::string& tag = tagged.key();
    const auto text = tagged->get<std::string>();
    if (tag == "integer") return text;
    if (tag == "bytes") return "x'" + text + "'";
    if (tag == "text") return "CAST(x'" + text + "' AS TEXT)";
    if (text.ends_with("Infinity")) return text[0] == '-' ? "-9e999" : "9e999";
    return exactly(std::strtod(text.c_str(), nullptr));
}

/// Leaves a copy the rows that it is given: what the leader's triggers did is in the records, and the copy's own ones would do it again.
void write_rows_only(const SqliteDb& db) {
    sqlite3_db_config(db.get(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    const auto from_bits = [](sqlite3_context* context, int, sqlite3_value** bits) { sqlite3_result_double(context, std::bit_cast<double>(sqlite3_value_int64(bits[0]))); };
    sqlite3_create_function(db.get(), "from_bits", 1, SQLITE_UTF8, nullptr, from_bits, nullptr, nullptr);
}

/// SQLite's stored ones come as values, and compute themselves in the copy.
std::set<std::string> generated_columns(const Database& copy, const std::string& table) {
    std::set<std::string> names;
    if (copy.is_postgresql()) return names;
    SqliteDb db{copy.path()};
    for (const SqliteRow& row : db.query("SELECT name FROM pragma_table_xinfo(" + sql_text(table) + ") WHERE hidden IN (2, 3)")) names.insert(std::get<std::string>(row[0]));
    return names;
}

}  // namespace

testing::AssertionResult StreamModel::check_order(const std::vector<json>& transaction) {
    const json& head = transaction.front();
    const std::string position = head.at("transaction").at("position").get<std::string>();
    if (!leader_.empty() && head.at("leader") != leader_) return wrong("another leader", head);
    leader_ = head.at("leader").get<std::string>();
    if (!position_.empty() && ordered(position) <= ordered(position_)) return wrong("behind " + position_ + " came one that is not after it", head);
    position_ = position;
    std::uint64_t ordinal = 0;
    for (const json& record : transaction) {
        if (record.at("transaction") != head.at("transaction")) return wrong("a record of another transaction", record);
        if (record.at("ordinal").get<std::uint64_t>() != ++ordinal) return wrong(fmt::format("expected ordinal {}", ordinal), record);
        if (record.at("last").get<bool>() != (&record == &transaction.back())) return wrong("last in the wrong place", record);
    }
    return testing::AssertionSuccess();
}

testing::AssertionResult StreamModel::apply(const std::vector<json>& transaction) {
    ++transactions_;
    if (testing::AssertionResult good = check_order(transaction); !good) return good;
    touched_.clear();
    for (const json& record : transaction) {
        ++changes_;
        if (testing::AssertionResult good = change(record); !good) return good;
    }
    for (const auto& [name, key] : touched_) {
        Table& table = tables_[name];
        const auto rows = table.find(key);
        if (rows == table.end()) continue;
        if (rows->second.size() > 1) return wrong(fmt::format("{} rows of {} have the key {} when the transaction ends", rows->second.size(), name.second, key), transaction.back());
        if (rows->second.empty()) table.erase(rows);
    }
    return testing::AssertionSuccess();
}

testing::AssertionResult StreamModel::change(const json& record) {
    const auto operation = record.at("operation").get<std::string>();
    if (operation == "truncate") {
        for (const json& table : record.at("tables")) tables_[{table["schema"].get<std::string>(), table["name"].get<std::string>()}].clear();
        return testing::AssertionSuccess();
    }
    if (operation == "shape") return wrong("nobody changed a shape", record);
    const std::pair<std::string, std::string> name{record["table"]["schema"].get<std::string>(), record["table"]["name"].get<std::string>()};
    Table& table = tables_[name];
    const bool keyed = record.contains("key");
    Row old;
    if (operation != "insert") {
        const std::string key = keyed ? record["key"].dump() : record.at("before").dump();
        const auto found = table.find(key);
        if (found == table.end() || found->second.empty()) return wrong("the row is not there", record);
        old = std::move(found->second.front());
        found->second.pop_front();
        if (keyed) touched_.emplace(name, key);
        if (keyed && record.contains("before"))
            for (const auto& [column, value] : record["before"].items())
                if (old.at(column) != value) return wrong("before the change " + column + " was " + old.at(column).dump().substr(0, 200), record);
        if (!keyed && found->second.empty()) table.erase(found);
        if (operation == "delete") return testing::AssertionSuccess();
    }
    Row row = record.at("after");
    if (record.contains("unchanged"))
        for (const json& column : record["unchanged"]) row[column.get<std::string>()] = old.at(column.get<std::string>());
    if (operation == "update" && row.size() != old.size()) return wrong("an update with other columns", record);
    json key = row;
    if (keyed) {
        key = json::object();
        for (const auto& [column, value] : record["key"].items()) key[column] = row.at(column);
    }
    const std::string text = key.dump();
    table[text].push_back(std::move(row));
    if (keyed) touched_.emplace(name, text);
    return testing::AssertionSuccess();
}

void StreamModel::write_to(const Database& copy) const {
    const bool postgresql = copy.is_postgresql();
    std::string script = postgresql ? "SET session_replication_role = replica; BEGIN;" : "PRAGMA foreign_keys = OFF; BEGIN;";
    for (const auto& [name, table] : tables_) {
        const std::string target = postgresql ? sql_name(name.first) + "." + sql_name(name.second) : sql_name(name.second);
        const std::set<std::string> generated = generated_columns(copy, name.second);
        for (const auto& [key, rows] : table)
            for (const Row& row : rows) {
                std::string columns;
                std::string values;
                for (const auto& [column, value] : row.items()) {
                    if (generated.contains(column)) continue;
                    columns += (columns.empty() ? "" : ", ") + sql_name(column);
                    values += (values.empty() ? "" : ", ") + (postgresql ? pg_literal(value) : sqlite_literal(value));
                }
                script += fmt::format("INSERT INTO {} ({}) {}VALUES ({});\n", target, columns, postgresql ? "OVERRIDING SYSTEM VALUE " : "", values);
            }
    }
    script += "COMMIT";
    if (postgresql) return copy.exec(script);
    SqliteDb db{copy.path()};
    write_rows_only(db);
    db.exec(script);
}

}  // namespace rowferry::test
