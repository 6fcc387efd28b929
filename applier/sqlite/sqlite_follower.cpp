#include "applier/sqlite/sqlite_follower.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applier/sqlite/follower_lock.h"
#include "applier/sqlite/sqlite_checkpoint_store.h"
#include "applier/sqlite/sqlite_connection.h"
#include "applier/sqlite/sqlite_copy_target.h"
#include "applier/sqlite/sqlite_preflight.h"
#include "applier/sqlite/sqlite_sink.h"
#include "applier/sqlite/sqlite_table_copier.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kLockPause{50};

// How the copy goes on, and what a crash leaves:
//
//   start_copy   one transaction: checkpoint `copying`, missing tables made, existing ones emptied   (nothing, or all of it)
//   copy_into    transactions of some thousand rows                                                  (`copying`, some rows)
//   finish_copy  one transaction: indexes, checkpoint `ready`                                        (`copying`, or `ready`)
//
// A start that finds `copying` begins again with start_copy, which empties the tables.
class SqliteFollower : public Follower {
public:
    SqliteFollower(std::string path, const StopSignal& stop) : path_{std::move(path)}, stop_{stop} {}

    [[nodiscard]] Engine engine() const override { return Engine::sqlite; }
    [[nodiscard]] std::string describe() const override { return "sqlite:" + printable(path_); }
    [[nodiscard]] bool exists() const override { return std::filesystem::exists(path_); }
    void open(bool create) override;
    void undo_open() noexcept override;
    bool is_same_database(Leader& leader) override;
    void lock(const std::string& stream, std::chrono::milliseconds patience) override;
    std::vector<Checkpoint> load_checkpoints() override { return sqlite_checkpoints::load(db()); }
    std::vector<std::string> check_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options, const Checkpoint* unfinished) override;
    void start_copy(const Checkpoint& initial, const std::vector<TablePtr>& tables, const FollowerOptions& options) override;
    void start_clone(const std::vector<TablePtr>& tables, const FollowerOptions& options) override;
    std::unique_ptr<CopyTarget> copy_into(const TablePtr& table) override;
    void set_next_number(const TablePtr& table, std::uint16_t column, std::int64_t next) override;
    void finish_copy(const Checkpoint& ready, const std::vector<TablePtr>& tables) override;
    void finish_clone(const std::vector<TablePtr>& tables) override;
    [[nodiscard]] bool long_transaction_hurts() override;
    std::unique_ptr<Sink> open_sink(const Checkpoint& checkpoint, const FollowerOptions& options) override;
    std::unique_ptr<TableCopier> copier(const std::string& stream) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    SqliteDatabase& db();
    void prepare_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options, const Checkpoint* unfinished);
    void create_index(const TableSchema& table, const std::string& leader_name, const std::string& sql);
    void create_indexes(const std::vector<TablePtr>& tables);
    FollowerTable existing(const TableSchema& table);

    std::string path_;
    const StopSignal& stop_;
    std::unique_ptr<SqliteConnection> connection_;
    std::unique_ptr<FollowerLock> lock_;
    std::string locked_stream_;
    bool cloning_ = false;
    bool made_file_ = false;  // by open(), and nothing was written to it since
};

/// Makes the entry of a new file in its folder as durable as its content.
void sync_folder(const std::string& path) {
    const auto folder = std::filesystem::path{path}.parent_path();
    const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int failure = errno;
    if (fd >= 0) ::close(fd);
    if (!synced && failure != EINVAL) throw RetryableError{fmt::format("{}: cannot sync its folder: {}", printable(path), std::strerror(failure))};
}

SqliteDatabase& SqliteFollower::db() {
    if (!connection_) open(false);
    return connection_->db();
}

void SqliteFollower::open(bool create) {
    if (connection_) return;
    bool made = false;
    if (create) {
        // Whoever makes the file is told so, and only one can. Before SQLite has opened it: closing a descriptor drops this process's locks.
        const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        made = fd >= 0;
        if (made) ::close(fd);
    }
    auto connection = std::make_unique<SqliteConnection>(path_, create ? SqliteDatabase::Mode::create : SqliteDatabase::Mode::read_write, stop_);
    SqliteDatabase& opened = connection->db();
    // Reads the header, so that a file that is no database is found here.
    if (opened.query_integer("PRAGMA main.page_count") == 0 && create) {
        if (opened.query_text("PRAGMA main.journal_mode=WAL") != "wal")
            throw RefusedError{fmt::format("{}: this file system does not allow SQLite's WAL mode", printable(path_))};
        sync_folder(path_);
    }
    connection_ = std::move(connection);
    made_file_ = made;
}

void SqliteFollower::lock(const std::string& stream, std::chrono::milliseconds patience) {
    // A command that only looks, or a process that is about to end, holds it for a moment.
    for (const auto deadline = std::chrono::steady_clock::now() + patience;;) {
        try {
            lock_ = std::make_unique<FollowerLock>(path_, stream);
            locked_stream_ = stream;
            return;
        } catch (...) {
            made_file_ = false;  // the file is theirs who hold the lock
            if (std::chrono::steady_clock::now() >= deadline || !stop_.sleep(kLockPause)) throw;
        }
    }
}

void SqliteFollower::undo_open() noexcept {
    if (!std::exchange(made_file_, false)) return;
    lock_.reset();
    connection_.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path_ + suffix).c_str());
}

bool SqliteFollower::is_same_database(Leader& leader) {
    if (leader.engine() != Engine::sqlite) return false;
    const std::string description = leader.describe();
    constexpr std::string_view kPrefix = "sqlite:";
    struct stat own {}, other {};
    if (!description.starts_with(kPrefix)) return false;
    if (::stat(path_.c_str(), &own) != 0 || ::stat(description.substr(kPrefix.size()).c_str(), &other) != 0) return false;
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

std::vector<std::string> SqliteFollower::check_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options, const Checkpoint* unfinished) {
    return check_sqlite_tables(db(), tables, options, unfinished, load_checkpoints());
}

void SqliteFollower::prepare_tables(const std::vector<TablePtr>& tables, const FollowerOptions& options, const Checkpoint* unfinished) {
    // Once more, now that nobody else can write.
    (void)check_sqlite_tables(db(), tables, options, unfinished, load_checkpoints());
    const std::vector<std::string> present = sqlite_present_tables(db(), tables);
    for (const TablePtr& table : tables) {
        const auto there = read_follower_table(db(), sqlite_follower_name(*table));
        if (there)
            db().execute("DELETE FROM " + quote_table({"main", there->name}));
        else
            db().prepare(sqlite_create_table(*table, present)).run();
        check_follower_table(*table, existing(*table));
    }
}

FollowerTable SqliteFollower::existing(const TableSchema& table) {
    auto there = read_follower_table(db(), sqlite_follower_name(table));
    if (!there) throw HaltError{fmt::format("{}: table {} is gone", printable(path_), printable(sqlite_follower_name(table), 100))};
    return std::move(*there);
}

void SqliteFollower::start_copy(const Checkpoint& initial, const std::vector<TablePtr>& tables, const FollowerOptions& options) {
    made_file_ = false;
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    sqlite_checkpoints::create_tables(db());
    const std::optional<Checkpoint> before = load_checkpoint(initial.stream);
    if (before && before->state == CheckpointState::ready)
        throw RefusedError{fmt::format("{} already follows with stream {}", describe(), initial.stream)};
    prepare_tables(tables, options, before ? &*before : nullptr);
    sqlite_checkpoints::write(db(), initial);
    transaction.commit();
}

void SqliteFollower::start_clone(const std::vector<TablePtr>& tables, const FollowerOptions& options) {
    db().execute("BEGIN IMMEDIATE");
    try {
        prepare_tables(tables, options, nullptr);
    } catch (...) {
        db().rollback();
        throw;
    }
    cloning_ = true;
}

std::unique_ptr<CopyTarget> SqliteFollower::copy_into(const TablePtr& table) {
    db();
    return std::make_unique<SqliteCopyTarget>(*connection_, table, existing(*table), !cloning_);
}

void SqliteFollower::set_next_number(const TablePtr& table, std::uint16_t, std::int64_t next) {
    const FollowerTable follower = existing(*table);
    if (!follower.autoincrement || next <= 1) return;
    std::optional<SqliteTransaction> transaction;
    if (!db().in_transaction()) transaction.emplace(db(), "IMMEDIATE");
    db().prepare("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE").bind(1, std::string_view{follower.name}).run();
    db().prepare("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)").bind(1, std::string_view{follower.name}).bind(2, next - 1).run();
    if (transaction) transaction->commit();
}

void SqliteFollower::create_index(const TableSchema& table, const std::string& leader_name, const std::string& sql) {
    try {
        db().prepare(sql).run();
    } catch (const SqliteError& error) {
        if (error.kind() != ErrorKind::halted) throw;
        throw HaltError{fmt::format("table {}: the copied rows do not keep the leader's unique key {}: {}", to_string(table.name), printable(leader_name, 100),
                                    error.what())};
    }
}

void SqliteFollower::create_indexes(const std::vector<TablePtr>& tables) {
    std::vector<std::string> taken;
    {
        SqliteStatement names = db().prepare("SELECT name FROM main.sqlite_master");
        while (names.step()) taken.push_back(sqlite_folded(names.text(0)));
    }
    for (const TablePtr& table : tables) {
        const FollowerTable follower = existing(*table);
        std::vector<std::string> collations;
        for (const ColumnSchema& column : table->columns) collations.push_back(follower.column(column.name)->collation);
        for (const SqliteIndex& index : missing_indexes(*table, follower)) {
            const std::string name = sqlite_index_name(*table, index.wanted_name, taken);
            create_index(*table, index.wanted_name, sqlite_create_index(*table, index, name, collations));
            taken.push_back(sqlite_folded(name));
        }
        for (const SqliteExpressionIndex& index : missing_expression_indexes(db(), *table, follower)) {
            const std::string name = sqlite_index_name(*table, index.wanted_name, taken);
            create_index(*table, index.wanted_name, sqlite_create_index(*table, index, name));
            taken.push_back(sqlite_folded(name));
        }
    }
}

void SqliteFollower::finish_copy(const Checkpoint& ready, const std::vector<TablePtr>& tables) {
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    create_indexes(tables);
    sqlite_checkpoints::finish(db(), ready);
    transaction.commit();
}

void SqliteFollower::finish_clone(const std::vector<TablePtr>& tables) {
    create_indexes(tables);
    connection_->commit();
    cloning_ = false;
}

bool SqliteFollower::long_transaction_hurts() { return db().query_text("PRAGMA main.journal_mode") != "wal" || load_checkpoints().size() > 1; }

std::unique_ptr<Sink> SqliteFollower::open_sink(const Checkpoint& checkpoint, const FollowerOptions& options) {
    return std::make_unique<SqliteSink>(path_, checkpoint, options, stop_);
}

std::unique_ptr<TableCopier> SqliteFollower::copier(const std::string& stream) {
    db();
    return std::make_unique<SqliteTableCopier>(
        *connection_, stream,
        SqliteTableCopier::Help{[this](const auto& tables) { create_indexes(tables); },
                                [this](const TablePtr& table, std::uint16_t column, std::int64_t next) { set_next_number(table, column, next); }});
}

std::vector<std::string> SqliteFollower::drop(const std::optional<std::string>& stream, bool dry_run) {
    std::vector<std::string> streams;
    for (const Checkpoint& checkpoint : load_checkpoints())
        if (!stream || checkpoint.stream == *stream) streams.push_back(checkpoint.stream);
    if (stream && streams.empty()) streams.push_back(*stream);
    std::vector<std::unique_ptr<FollowerLock>> locks;
    for (const std::string& name : streams)
        if (!lock_ || name != locked_stream_) locks.push_back(std::make_unique<FollowerLock>(path_, name));
    std::vector<std::string> lines;
    SqliteTransaction transaction{db(), "IMMEDIATE"};
    if (streams.empty()) streams.emplace_back();  // tables without rows
    for (const std::string& name : streams)
        for (std::string& line : sqlite_checkpoints::remove(db(), name, dry_run)) lines.push_back(std::move(line));
    transaction.commit();
    return lines;
}

}  // namespace

std::unique_ptr<Follower> make_sqlite_follower(std::string path, const StopSignal& stop) {
    return std::make_unique<SqliteFollower>(std::move(path), stop);
}

}  // namespace rowferry
