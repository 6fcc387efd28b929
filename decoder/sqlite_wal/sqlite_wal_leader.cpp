#include "decoder/sqlite_wal/sqlite_wal_leader.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/statvfs.h>

#include "db/leader_file.h"
#include "db/row_filter.h"
#include "db/sqlite_schema.h"
#include "decoder/sqlite_wal/shadow_open.h"
#include "decoder/sqlite_wal/sqlite_wal_source.h"
#include "decoder/sqlite_wal/wal_file.h"
#include "decoder/sqlite_wal/wal_snapshot.h"
#include "decoder/sqlite_wal/wal_tables.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/table_subset.h"

namespace rowferry {
namespace {

namespace fs = std::filesystem;

/// So much stays free for the leader itself, which is on the same disk.
constexpr std::uint64_t kLeastFree = 1ULL << 30;

std::string temporary_folder() {
    const char* folder = std::getenv("TMPDIR");
    return folder != nullptr && *folder != '\0' ? folder : "/var/tmp";
}

bool has_room(const std::string& where, std::uint64_t bytes) {
    struct statvfs room {};
    if (::statvfs(where.c_str(), &room) != 0) return false;
    const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
    return free > bytes && free - bytes > std::max(kLeastFree, bytes / 2);
}

class SqliteWalLeader : public Leader {
public:
    SqliteWalLeader(std::string path, const StopSignal& stop) : path_{std::move(path)}, stop_{stop} {}

    [[nodiscard]] Engine engine() const override { return Engine::sqlite; }
    [[nodiscard]] CaptureMethod capture() const override { return CaptureMethod::logical; }
    [[nodiscard]] PositionKind position_kind() const override { return PositionKind::frame; }
    [[nodiscard]] std::string describe() const override { return "sqlite:" + printable(path_); }

    /// Nothing of a stream has to outlive its reader.
    [[nodiscard]] bool offers_temporary() const override { return true; }
    LeaderIdentity identify() override { return {Engine::sqlite, file_identity(path_), 0, {}}; }
    Position current_position() override {
        const WalIndexHeader now = access().index().read();
        return {generations().look(now.salts), now.last_frame};
    }

    std::vector<TablePtr> select_tables(const StreamRequest& request) override;
    std::vector<std::string> skipped(const StreamRequest& request) override;
    void check(const StreamRequest& request, const std::vector<TablePtr>& tables) override;
    std::unique_ptr<Snapshot> start(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot(const StreamRequest& request) override;
    std::unique_ptr<Snapshot> snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) override;
    void release(const StreamRequest&, const std::vector<TableName>&) override {}
    std::unique_ptr<Source> follow(const StreamRequest& request, const Checkpoint& checkpoint) override;
    Position mark(const StreamRequest&) override {
        const WalIndexHeader now = access().index().read();
        return {generations().number(now.salts), now.last_frame};
    }
    bool caught_up(const StreamRequest& request, const Checkpoint& checkpoint) override;
    std::vector<std::string> drop(const std::optional<std::string>& stream, bool dry_run) override;

private:
    struct Begun {
        std::unique_ptr<SqliteDatabase> db;
        WalIndexHeader header;
        WalPlace place;
    };
    WalAccess& access() {
        if (!access_) access_ = std::make_shared<WalAccess>(path_);
        return *access_;
    }
    [[nodiscard]] std::string folder() { return fs::weakly_canonical(path_).string() + "-rowferry"; }
    [[nodiscard]] Generations generations() { return Generations{folder()}; }
    [[nodiscard]] ShadowNames names(const std::string& stream) { return {folder(), stream}; }
    [[nodiscard]] std::unique_ptr<LeaderFile> lock(const std::string& stream) const;
    [[nodiscard]] Begun begin(bool numbered);
    void hold();
    void keep_pages(const StreamRequest& request, const Begun& begun);
    [[nodiscard]] bool same_pages(const std::string& stream, const ShadowRecord& record, Position position);
    static std::vector<TableName> names_of(const std::vector<TablePtr>& tables);

    std::string path_;
    const StopSignal& stop_;
    std::shared_ptr<WalAccess> access_;
    Position held_since_;            ///< Of the snapshot.
    std::unique_ptr<WalPins> pins_;  ///< Between a snapshot and following it: the log does not begin anew meanwhile.
};

std::vector<TableName> SqliteWalLeader::names_of(const std::vector<TablePtr>& tables) {
    std::vector<TableName> names;
    for (const TablePtr& table : tables) names.push_back(table->name);
    return names;
}

std::unique_ptr<LeaderFile> SqliteWalLeader::lock(const std::string& stream) const {
    auto file = std::make_unique<LeaderFile>(path_);
    return file->try_lock_stream(stream) ? std::move(file) : nullptr;
}

std::vector<TablePtr> SqliteWalLeader::select_tables(const StreamRequest& request) {
    SqliteDatabase& db = access().db();
    SqliteTransaction transaction{db, "DEFERRED"};
    const std::vector<TableName> all = list_sqlite_tables(db);
    if (const auto unmatched = request.selection.unmatched(Engine::sqlite, all); !unmatched.empty())
        throw RefusedError{fmt::format("{}: no table matches \"{}\"", printable(path_), printable(fmt::format("{}", fmt::join(unmatched, "\", \""))))};
    std::vector<TableSchema> whole;
    for (const TableName& name : all) {
        if (!request.selection.selects(Engine::sqlite, name)) continue;
        auto table = read_sqlite_table(db, name.name);
        if (table && !table->schema.columns.empty()) whole.push_back(std::move(table->schema));
    }
    if (whole.empty()) throw RefusedError{fmt::format("{}: there is no table to replicate", printable(path_))};
    if (!request.rules.empty()) {
        std::vector<const TableSchema*> pointers;
        for (const TableSchema& table : whole) pointers.push_back(&table);
        check_rules(request.rules, pointers);
    }
    const std::string encoding = db.query_text("PRAGMA main.encoding");
    std::vector<TablePtr> tables;
    for (const TableSchema& table : whole) {
        const WalTablePart part = wal_table_part(request, table);
        if (!part.filter.empty()) const RowFilter checked{table, part.filter, encoding};
        tables.push_back(part.carried);
    }
    transaction.commit();
    return tables;
}

std::vector<std::string> SqliteWalLeader::skipped(const StreamRequest& request) {
    std::vector<std::string> lines;
    for (const SqliteSkipped& object : list_sqlite_skipped(access().db())) {
        const std::string& table = object.table.empty() ? object.name : object.table;
        if (!request.selection.selects(Engine::sqlite, {"main", table})) continue;
        lines.push_back(object.table.empty() ? fmt::format("main.{}: {}, not replicated", printable(object.name, 100), object.kind)
                                             : fmt::format("main.{}: trigger {} is not carried; what it does is", printable(table, 100), printable(object.name, 100)));
    }
    return lines;
}

void SqliteWalLeader::check(const StreamRequest& request, const std::vector<TablePtr>& tables) {
    for (const std::string& line : skipped(request)) spdlog::info("{}", line);
    SqliteDatabase& db = access().db();
    if (db.query_integer("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = 'rowferry_checkpoint'") != 0 &&
        db.query_integer("SELECT count(*) FROM main.rowferry_checkpoint WHERE state = 'copying'") != 0)
        throw RefusedError{fmt::format("{}: it is a follower itself and its own copy is not complete: finish that first", printable(path_))};
    if (request.one_off) return;
    const LeaderFile writable{path_};
    if (const auto record = read_shadow(names(request.stream)); record && record->follower_id != request.follower_id)
        throw RefusedError{fmt::format("{}: the stream {} belongs to another follower: choose another --stream, or remove it with `rowferry drop`", printable(path_), request.stream)};
    for (const TablePtr& table : tables) try {
            static_cast<void>(to_json(*table));
        } catch (const HaltError& error) {
            throw RefusedError{fmt::format("{}: {}", printable(path_), error.what())};
        }
}

/// A read transaction of its own at a place that is known exactly.
SqliteWalLeader::Begun SqliteWalLeader::begin(bool numbered) {
    Begun begun;
    begun.db = open_wal_leader(access().path());
    begun.header = begin_exactly(*begun.db, access().index());
    begun.place.generation = generations().look(begun.header.salts);
    // Where there is no log nothing tells whether there was one since a stream's place: a number of its own keeps the two apart, and the stream comes to it by a comparison.
    if (numbered) begun.place.generation = generations().number(begun.header.salts, begun.header.salts == WalSalts{} ? begun.place.generation + 1 : 1);
    begun.place.frame = begun.header.last_frame;
    begun.place.salts = begun.header.salts;
    if (begun.place.frame == 0) return begun;
    WalFile wal{access().wal_path(), access().page_size()};
    wal.begin(begun.header, begun.place.frame, {});
    begun.place.checksum = wal.header_of(begun.place.frame).checksum;
    if (numbered) wal.sync();  // what a follower begins with must outlive a power cut here
    return begun;
}

void SqliteWalLeader::hold() {
    if (!pins_) pins_ = std::make_unique<WalPins>(access().path(), access().index());
    pins_->hold();
}

void SqliteWalLeader::keep_pages(const StreamRequest& request, const Begun& begun) {
    const ShadowNames kept = names(request.stream);
    remove_shadow(kept, false);
    const std::uint32_t pages = access().page_count(begun.header);
    ShadowRecord record{request.follower_id, file_identity(path_), kept.prefix(), {begun.place, access().page_size(), pages}};
    const std::string& named = request.log.shadow_folder;
    if (!named.empty()) record.prefix = fmt::format("{}/{}-{}", named, record.leader, request.stream);
    const std::uint64_t bytes = std::uint64_t{pages} * access().page_size();
    const bool wanted = request.log.shadow && !request.temporary;
    if (!wanted || !has_room(named.empty() ? folder() : named, bytes)) {
        if (wanted)
            spdlog::warn("{}: {} has no room for a copy of its {} MB of pages: going on without a shadow. When the leader's log begins anew while rowferry is away, the stream stops and has to be copied again; "
                         "--shadow DIR names another disk",
                         printable(path_), printable(named.empty() ? folder() : named), bytes >> 20);
        record.prefix.clear();
        return write_record(kept, record);
    }
    WalFile wal{access().wal_path(), access().page_size()};
    wal.begin(begun.header, begun.place.frame, begun.place.checksum);
    make_shadow(kept, record, LivePages{access().database(), wal, begun.header, pages}, stop_);
}

std::unique_ptr<Snapshot> SqliteWalLeader::start(const StreamRequest& request) {
    const auto held = lock(request.stream);
    if (!held) throw RefusedError{fmt::format("{}: the stream {} is being read by another rowferry", printable(path_), request.stream)};
    const std::vector<TableName> tables = names_of(select_tables(request));
    hold();
    Begun begun = begin(true);
    held_since_ = begun.place.position();
    keep_pages(request, begun);
    return std::make_unique<WalSnapshot>(std::move(begun.db), begun.place, tables, request, stop_);
}

std::unique_ptr<Snapshot> SqliteWalLeader::snapshot(const StreamRequest& request) {
    const std::vector<TableName> tables = names_of(select_tables(request));
    Begun begun = begin(false);
    return std::make_unique<WalSnapshot>(std::move(begun.db), begun.place, tables, request, stop_);
}

std::unique_ptr<Snapshot> SqliteWalLeader::snapshot_of(const StreamRequest& request, const std::vector<TableName>& tables) {
    hold();
    for (const TableName& name : tables)
        if (!read_sqlite_table(access().db(), name.name)) throw RefusedError{fmt::format("{}: there is no table {}", printable(path_), to_string(name))};
    Begun begun = begin(true);
    return std::make_unique<WalSnapshot>(std::move(begun.db), begun.place, tables, request, stop_);
}

std::unique_ptr<Source> SqliteWalLeader::follow(const StreamRequest& request, const Checkpoint& checkpoint) {
    SqliteWalSource::Parts parts{path_, lock(checkpoint.stream), nullptr, generations(), nullptr, false, held_since_ == checkpoint.position};
    if (!parts.lock) throw RefusedError{fmt::format("{}: the stream {} is being read by another rowferry", printable(path_), checkpoint.stream)};
    if (const std::string now = file_identity(path_); now != checkpoint.leader.system)
        throw HaltError{fmt::format("{}: this is another file than the one the follower belongs to (sqlite:{}, and this is sqlite:{}): it was replaced or restored. `rowferry drop LEADER FOLLOWER`, then `rowferry "
                                    "run` with --on-existing truncate copies again",
                                    printable(path_), checkpoint.leader.system, now)};
    hold();
    access();
    parts.access = access_;
    const auto record = read_shadow(names(checkpoint.stream));
    if (record && record->follower_id != checkpoint.follower_id)
        throw HaltError{fmt::format("{}: the stream {} belongs to another follower now: `rowferry drop` it and copy again", printable(path_), checkpoint.stream)};
    parts.shadowed = record && !record->prefix.empty() && fs::exists(record->pages());
    const WalPlace place = place_of(checkpoint.position, checkpoint.resume);
    if (parts.shadowed) {
        parts.store = open_shadowed_store(names(checkpoint.stream), *record, checkpoint.position);
    } else {
        if (record && !record->prefix.empty()) spdlog::warn("{}: its shadow {} is gone", printable(path_), printable(record->pages()));
        if (const WalSalts now = access().index().read().salts; !(now == place.salts) || (now == WalSalts{} && !parts.held))
            throw HaltError{fmt::format("{}: at {}: its log began anew while nobody read it, and there is no shadow to compare with: what it held is gone. `rowferry drop LEADER FOLLOWER`, then `rowferry run` with "
                                        "--on-existing truncate copies again",
                                        printable(path_), to_string(PositionKind::frame, checkpoint.position))};
        parts.store = open_borrowed_store(access(), place, temporary_folder());
    }
    auto source = std::make_unique<SqliteWalSource>(std::move(parts), request, checkpoint, stop_);
    pins_.reset();
    held_since_ = {};
    return source;
}

/// The log may have begun anew without a change: checkpoints do that, and the last connection that is closed. Page by page, up to the first difference.
bool SqliteWalLeader::same_pages(const std::string& stream, const ShadowRecord& record, Position position) {
    const auto store = open_shadowed_store(names(stream), record, position);
    if (store->state().place.position() != position) return false;
    const Begun begun = begin(false);
    WalFile wal{access().wal_path(), access().page_size()};
    wal.begin(begun.header, begun.place.frame, begun.place.checksum);
    const LivePages live{access().database(), wal, begun.header, access().page_count(begun.header)};
    if (live.page_count() != store->state().pages || access().page_size() != store->state().page_size) return false;
    std::vector<std::byte> page(store->state().page_size);
    for (std::uint32_t number = 1; number <= live.page_count(); ++number) {
        if (number % kPagesPerLook == 0) stop_.check();
        live.read(number, page);
        if (std::memcmp(page.data(), store->before().page(number).data(), page.size()) != 0) return false;
    }
    return true;
}

bool SqliteWalLeader::caught_up(const StreamRequest& request, const Checkpoint& checkpoint) {
    // Without a log there are no salts, by which it would be known.
    if (current_position() == checkpoint.position && !(access().index().read().salts == WalSalts{})) return true;
    // While it runs, it moves by itself.
    const auto held = lock(request.stream);
    const auto record = held ? read_shadow(names(request.stream)) : std::nullopt;
    if (!record || record->prefix.empty() || !fs::exists(record->pages()) || record->state.place.position() > checkpoint.position) return false;
    return same_pages(request.stream, *record, checkpoint.position);
}

std::vector<std::string> SqliteWalLeader::drop(const std::optional<std::string>& stream, bool dry_run) {
    std::vector<std::string> streams;
    std::size_t others = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{folder(), none}) {
        if (entry.path().extension() != ".json") continue;
        const std::string name = entry.path().stem().string();
        if (!stream || name == *stream)
            streams.push_back(name);
        else
            ++others;
    }
    std::vector<std::unique_ptr<LeaderFile>> locks;
    for (const std::string& name : streams) {
        locks.push_back(lock(name));
        if (!locks.back()) throw RefusedError{fmt::format("{}: the stream {} is being read by a rowferry right now: stop that first", printable(path_), name)};
    }
    std::vector<std::string> removed;
    for (const std::string& name : streams) {
        if (!dry_run) remove_shadow(names(name), false);
        removed.push_back(fmt::format("what was kept of the leader's pages for stream {}", name));
    }
    if (others != 0 || streams.empty() || dry_run) return removed;
    fs::remove(generations().path());
    fs::remove(folder(), none);  // stays where somebody else put something into it
    return removed;
}

}  // namespace

std::string sqlite_log_obstacle(const std::string& path) {
    try {
        static_cast<void>(WalAccess{path});
        return {};
    } catch (const LogRefusedError& error) {
        return error.reason();
    }
}

std::unique_ptr<Leader> make_sqlite_wal_leader(std::string path, const StopSignal& stop) { return std::make_unique<SqliteWalLeader>(std::move(path), stop); }

}  // namespace rowferry
