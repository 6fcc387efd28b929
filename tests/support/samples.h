#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/database.h"
#include "tests/support/random.h"

// Databases as real applications have them: our own small ones, and those of a folder that ROWFERRY_DATA names, with postgres/*.sql
// (NAME-schema.sql is read before NAME-data.sql), postgres/*.ddl (tables without rows) and sqlite/*.{db,sqlite}.

namespace rowferry::test {

/// A music store with some thousand rows.
std::string music_store(bool postgresql);

/// The schema of an application that has grown for years: `tables` tables over modules, with keys of several kinds, foreign keys, unique and
/// partial indexes, defaults, and a few rows in each.
std::vector<std::string> grown_application(bool postgresql, int tables, Random& random);

/// Empty when ROWFERRY_DATA is not set.
std::filesystem::path data_folder();

/// Scripts by the name of their database, schema before data.
std::map<std::string, std::vector<std::filesystem::path>> postgresql_samples();
/// Files with tables of every type and no rows.
std::vector<std::filesystem::path> postgresql_type_samples();
std::vector<std::filesystem::path> sqlite_samples();

/// Runs a script of psql's; lines that make and choose a database of their own are left out. Throws when it fails.
void load_script(const Database& database, const std::filesystem::path& script);

/// Rows for every table of a PostgreSQL database: each type's limits, NULL wherever it may be, and `ordinary` random ones. Throws when a table gets
/// fewer than three.
void fill_by_type(const Database& database, int ordinary, Random& random);

}  // namespace rowferry::test
