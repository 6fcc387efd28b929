#include "decoder/sqlite_wal/wal_access.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "decoder/sqlite_wal/wal_pins.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::string_view kDatabaseMagic{"SQLite format 3\0", 16};
constexpr std::size_t kWriteVersion = 18;
constexpr char kWalVersion = 2;

/// Shared memory and locks of SQLite do not reach from one machine to another.
const char* network_name(long type) {
    switch (static_cast<unsigned long>(type)) {
        case NFS_SUPER_MAGIC: return "NFS";
        case 0x517B:
        case 0xFE534D42:
        case 0xFF534D42: return "SMB";
        case 0x01021997: return "9P";
        case 0x00C36400: return "Ceph";
        case 0x5346414F: return "AFS";
        case 0x0BD00BD0: return "Lustre";
        case 0x7461636F: return "OCFS2";
        case 0x01161970: return "GFS2";
        default: return nullptr;
    }
}

[[noreturn]] void refuse(const std::string& path, const std::string& why, const std::string& way_out = {}) { throw LogRefusedError{path, why, way_out}; }

/// As SQLite does: the -wal of a link stands beside the file it leads to.
std::string real_path(const std::string& path) {
    std::error_code failure;
    const auto real = std::filesystem::canonical(path, failure);
    if (failure) refuse(path, failure == std::errc::no_such_file_or_directory ? "no such file" : failure.message());
    return real.string();
}

void check_file(const std::string& path, const KeptFile& file) {
    struct statfs system {};
    if (::statfs(path.c_str(), &system) == 0)
        if (const char* name = network_name(system.f_type))
            refuse(path, fmt::format("it lies on a network file system ({}), where a write-ahead log can neither be shared nor followed", name),
                   ": run rowferry where the file is, or use --capture triggers");
    std::array<char, 100> header{};
    const std::size_t size = file.read(0, std::as_writable_bytes(std::span{header}));
    if (size != 0 && size < header.size()) refuse(path, "it is not a SQLite database");
    if (size != 0 && std::string_view{header.data(), kDatabaseMagic.size()} != kDatabaseMagic)
        refuse(path, "it does not begin as a SQLite database does: it is something else, or encrypted. The log of an encrypted database cannot be read from outside");
}

}  // namespace

LogRefusedError::LogRefusedError(const std::string& path, const std::string& reason, const std::string& way_out)
    : RefusedError{fmt::format("{}: {}{}", printable(path), reason, way_out)}, reason_{reason} {}

WalAccess::WalAccess(const std::string& path) : path_{real_path(path)}, database_{path_} {
    check_file(path_, database_);
    const auto refuse_mode = [&] {
        refuse(path_, "it is not in WAL mode, and a rollback journal holds no changes",
               ": `PRAGMA journal_mode = WAL` on it switches it for good (every application that uses it then does), or use --capture triggers");
    };
    // Without a lock, for which a reader of such a file may have to wait long.
    std::array<char, 20> header{};
    const std::size_t size = database_.read(0, std::as_writable_bytes(std::span{header}));
    if (size == header.size() && header[kWriteVersion] != kWalVersion) refuse_mode();
    try {
        db_ = open_wal_leader(path_);
        if (db_->query_text("PRAGMA main.journal_mode") != "wal") refuse_mode();
        static_cast<void>(db_->query_integer("SELECT count(*) FROM main.sqlite_schema"));
    } catch (const SqliteError& error) {
        if (error.busy())
            refuse(path_, "it is locked: another process holds it exclusively (PRAGMA locking_mode = EXCLUSIVE keeps everybody out)", ". Set that to NORMAL");
        throw;
    }
    if (database_.read(0, std::as_writable_bytes(std::span{header})) == header.size() && header[kWriteVersion] != kWalVersion)
        refuse(path_, "its header and SQLite do not agree on its journal mode");
    if (!std::filesystem::exists(path_ + "-shm"))
        refuse(path_, "SQLite keeps the index of its log in no shared memory (-shm) here, so that nobody else can read it", ": use --capture triggers");
    index_ = std::make_unique<WalIndex>(path_ + "-shm");
    page_size_ = static_cast<std::uint32_t>(db_->query_integer("PRAGMA main.page_size"));
}

std::uint32_t WalAccess::page_count(const WalIndexHeader& header) const {
    if (header.pages != 0) return header.pages;
    std::error_code failure;
    const auto bytes = std::filesystem::file_size(path_, failure);
    if (failure) throw RetryableError{fmt::format("{}: {}", printable(path_), failure.message())};
    return static_cast<std::uint32_t>(bytes / page_size_);
}

std::string file_identity(const std::string& path) {
    struct statx info {};
    if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_BTIME, &info) != 0) refuse(path, errno == ENOENT ? "no such file" : std::strerror(errno));
    const bool born = (info.stx_mask & STATX_BTIME) != 0;
    return fmt::format("{:x}-{:x}.{:x}", info.stx_ino, born ? info.stx_btime.tv_sec : 0, born ? info.stx_btime.tv_nsec : 0);
}

}  // namespace rowferry
