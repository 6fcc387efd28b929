#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/sqlite_db.h"

namespace rowferry::test {

/// One database that a test uses as leader or follower, whichever engine. Opens a session per call; any thread.
/// The cluster has to live longer.
class Database {
public:
    /// A new database in the cluster.
    static Database postgresql(PgCluster& cluster, const std::string& prefix = "db");
    /// A path for a new file; nothing is there before the first exec().
    static Database sqlite(const std::string& prefix = "db");
    static Database sqlite_at(const std::filesystem::path& path);

    [[nodiscard]] bool is_postgresql() const noexcept { return cluster_ != nullptr; }
    /// As rowferry's command line takes it.
    [[nodiscard]] std::string endpoint() const;
    [[nodiscard]] PgCluster& cluster() const { return *cluster_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string uri() const { return cluster_->uri(name_); }

    void exec(const std::string& sql) const;
    [[nodiscard]] std::string value(const std::string& sql) const;
    /// The follower's checkpoint exists and says `ready`.
    [[nodiscard]] bool ready(const std::string& stream = "default") const;

private:
    PgCluster* cluster_ = nullptr;
    std::string name_;
    std::filesystem::path path_;
};

/// Polls until the query gives `expected`; errors (no such table yet, a server that restarts) count as not yet.
bool wait_for_value(const Database& database, const std::string& sql, std::string_view expected,
                    std::chrono::milliseconds timeout = std::chrono::seconds{30});

enum class Direction { pg_to_pg, pg_to_sqlite, sqlite_to_pg, sqlite_to_sqlite };
inline constexpr Direction kDirections[] = {Direction::pg_to_pg, Direction::pg_to_sqlite, Direction::sqlite_to_pg,
                                            Direction::sqlite_to_sqlite};
[[nodiscard]] std::string to_string(Direction direction);
[[nodiscard]] inline bool leads_postgresql(Direction d) { return d == Direction::pg_to_pg || d == Direction::pg_to_sqlite; }
[[nodiscard]] inline bool follows_postgresql(Direction d) { return d == Direction::pg_to_pg || d == Direction::sqlite_to_pg; }

/// Fresh, empty leader and follower for a direction; PostgreSQL ones in the shared cluster.
struct Pair {
    Database leader;
    Database follower;
};
[[nodiscard]] Pair make_pair_for(Direction direction);

}  // namespace rowferry::test
