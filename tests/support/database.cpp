#include "tests/support/database.h"

#include <thread>

#include "tests/support/temp_dir.h"

namespace rowferry::test {

Database Database::postgresql(PgCluster& cluster, const std::string& prefix) {
    Database database;
    database.cluster_ = &cluster;
    database.name_ = cluster.new_database(prefix);
    return database;
}

Database Database::sqlite(const std::string& prefix) { return sqlite_at(new_temp_dir("sqlite") / (prefix + ".db")); }

Database Database::sqlite_at(const std::filesystem::path& path) {
    Database database;
    database.path_ = path;
    return database;
}

std::string Database::endpoint() const { return is_postgresql() ? uri() : "sqlite:" + path_.string(); }

void Database::exec(const std::string& sql) const {
    if (is_postgresql()) cluster_->exec(name_, sql);
    else SqliteDb{path_}.exec(sql);
}

std::string Database::value(const std::string& sql) const {
    return is_postgresql() ? cluster_->value(name_, sql) : SqliteDb{path_}.value(sql);
}

bool Database::ready(const std::string& stream) const {
    if (!is_postgresql() && !std::filesystem::exists(path_)) return false;  // to look must not create it
    try {
        return value(std::string{"SELECT state FROM "} + (is_postgresql() ? "rowferry.checkpoint" : "rowferry_checkpoint") +
                     " WHERE stream = '" + stream + "'") == "ready";
    } catch (const std::exception&) {
        return false;
    }
}

bool wait_for_value(const Database& database, const std::string& sql, std::string_view expected, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        try {
            if (!database.is_postgresql() && !std::filesystem::exists(database.path())) throw std::runtime_error{"no file yet"};
            if (database.value(sql) == expected) return true;
        } catch (const std::exception&) {
            // Not yet.
        }
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{15});
    }
}

std::string to_string(Direction direction) {
    switch (direction) {
        case Direction::pg_to_pg: return "pg_to_pg";
        case Direction::pg_to_sqlite: return "pg_to_sqlite";
        case Direction::sqlite_to_pg: return "sqlite_to_pg";
        case Direction::sqlite_to_sqlite: return "sqlite_to_sqlite";
    }
    return "?";
}

Pair make_pair_for(Direction direction) {
    return {
        .leader = leads_postgresql(direction) ? Database::postgresql(PgCluster::shared(), "leader") : Database::sqlite("leader"),
        .follower = follows_postgresql(direction) ? Database::postgresql(PgCluster::shared(), "follower") : Database::sqlite("follower")};
}

}  // namespace rowferry::test
