#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/support/pg_values.h"
#include "tests/support/process.h"
#include "tests/support/samples.h"
#include "tests/support/table_shape.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace fs = std::filesystem;
namespace {

std::vector<fs::path> files(const std::string& folder, const std::vector<std::string>& extensions) {
    std::vector<fs::path> found;
    if (fs::is_directory(data_folder() / folder))
        for (const auto& entry : fs::directory_iterator{data_folder() / folder})
            if (std::find(extensions.begin(), extensions.end(), entry.path().extension()) != extensions.end()) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

/// The widest a type goes, which random values meet too rarely.
std::vector<std::string> limits_of(const std::string& type) {
    static const std::map<std::string, std::vector<std::string>> all{
        {"smallint", {"-32768", "32767"}},
        {"integer", {"-2147483648", "2147483647"}},
        {"bigint", {"-9223372036854775808", "9223372036854775807"}},
        {"oid", {"0", "4294967295"}},
        {"real", {"1.4e-45", "-3.4028235e38", "NaN", "Infinity", "-Infinity"}},
        {"double precision", {"5e-324", "-1.7976931348623157e308", "NaN", "Infinity", "-Infinity"}},
        {"numeric", {"NaN", "-Infinity", "1" + std::string(300, '0') + ".000"}},
        {"money", {"-92233720368547758.08", "92233720368547758.07"}},
        {"date", {"4713-01-01 BC", "5874897-12-31", "infinity", "-infinity"}},
        {"timestamp without time zone", {"4713-11-24 00:00:00 BC", "294276-12-31 23:59:59", "infinity", "-infinity"}},
        {"timestamp with time zone", {"4713-11-24 00:00:00+00 BC", "294276-12-31 23:59:59+00", "infinity", "-infinity"}},
        {"time without time zone", {"00:00:00", "24:00:00", "23:59:59.999999"}},
        {"time with time zone", {"00:00:00+15:59:59", "24:00:00-15:59:59"}},
        {"interval", {"-178000000 years", "178000000 years", "00:00:00"}},
        {"text", {"", std::string(20000, 'x'), "\\N", "\\."}},
        {"bytea", {"\\x", "\\x" + std::string(40000, '0'), "\\x000102feff"}},
        {"character varying", {""}},
        {"uuid", {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
        {"json", {"null", "{\"a\": 1, \"a\":  2}"}},
        {"jsonb", {"null", "1e400"}},
        {"xml", {"<a/>"}},
        {"tsquery", {""}},
    };
    std::string base = type.substr(0, type.find('('));
    if (const std::size_t close = type.find(')'); close != std::string::npos) base += type.substr(close + 1);
    const auto found = all.find(base);
    return found == all.end() ? std::vector<std::string>{} : found->second;
}

}  // namespace

fs::path data_folder() {
    const char* folder = std::getenv("ROWFERRY_DATA");
    return folder != nullptr ? fs::path{folder} : fs::path{};
}

std::map<std::string, std::vector<fs::path>> postgresql_samples() {
    std::map<std::string, std::vector<fs::path>> samples;
    for (const fs::path& script : files("postgres", {".sql"})) {
        const std::string stem = script.stem();
        samples[stem.substr(0, stem.find('-'))].push_back(script);
    }
    const auto data = [](const fs::path& p) { return p.stem().string().find("-data") != std::string::npos; };
    for (auto& [name, scripts] : samples) std::stable_sort(scripts.begin(), scripts.end(), [&](const fs::path& a, const fs::path& b) { return data(a) < data(b); });
    return samples;
}

std::vector<fs::path> postgresql_type_samples() { return files("postgres", {".ddl"}); }

std::vector<fs::path> sqlite_samples() { return files("sqlite", {".sqlite", ".db", ".sqlite3"}); }

void load_script(const Database& database, const fs::path& script) {
    std::istringstream in{read_file(script)};
    const fs::path cleaned = new_temp_dir("script") / "script.sql";
    {
        std::ofstream out{cleaned};
        for (std::string line; std::getline(in, line);)
            if (!line.starts_with("DROP DATABASE") && !line.starts_with("CREATE DATABASE") && !line.starts_with("\\c")) out << line << '\n';
    }
    const std::string psql = PgCluster::program("psql");
    if (psql.empty()) throw std::runtime_error{"no psql"};
    const Outcome outcome = run_program({psql, "-X", "-q", "-d", database.uri(), "-v", "ON_ERROR_STOP=1", "-f", cleaned.string()});
    if (outcome.exit_code != 0) throw std::runtime_error{script.string() + ": " + outcome.err.substr(0, 2000)};
}

void fill_by_type(const Database& database, int ordinary, Random& random) {
    PgConnection connection{database.uri()};
    for (const TableShape& table : read_shapes(database, false)) {
        const auto insert = [&](const auto& value_of) {
            std::string names;
            std::string values;
            for (const ColumnShape& column : table.columns) {
                if (column.has_default) continue;
                names += (names.empty() ? "" : ", ") + sql_name(column.name);
                values += (values.empty() ? "" : ", ") + value_of(column);
            }
            return connection.try_exec(names.empty() ? "INSERT INTO " + table.in_sql + " DEFAULT VALUES"
                                                     : fmt::format("INSERT INTO {} ({}) VALUES ({})", table.in_sql, names, values));
        };
        int rows = insert([&](const ColumnShape& column) { return column.not_null ? column.value(random) : std::string{"NULL"}; });
        for (std::size_t i = 0; i < 5; ++i)
            rows += insert([&](const ColumnShape& column) {
                const std::vector<std::string> limits = limits_of(column.type);
                return limits.empty() || column.type.starts_with("numeric(") ? column.value(random) : sql_text(limits[i % limits.size()]);
            });
        for (int i = 0; i < ordinary; ++i) rows += insert([&](const ColumnShape& column) { return column.value(random); });
        if (rows < 3) throw std::runtime_error{fmt::format("{}: only {} rows", table.name, rows)};
    }
}

}  // namespace rowferry::test
