#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "decoder/sqlite_wal/kept_file.h"
#include "decoder/sqlite_wal/wal_format.h"

namespace rowferry {

/// What the wal-index says is committed. It is the authority: frames behind `last_frame` are rewritten in place by an open transaction, and a commit
/// may have frames without a checksum.
struct WalIndexHeader {
    std::uint32_t page_size = 0;
    std::uint32_t last_frame = 0;  ///< mxFrame: of the last commit; 0 when the log holds nothing.
    std::uint32_t pages = 0;       ///< Of the database, after that commit.
    WalChecksum checksum;          ///< Of the last frame.
    WalSalts salts;
    bool big_endian_checksums = false;
    std::uint32_t changes = 0;     ///< Commits since this index was made, however often the log began anew.
    friend bool operator==(const WalIndexHeader&, const WalIndexHeader&) = default;
};

struct WalBackfill {
    std::uint32_t done = 0;       ///< Frames that a checkpoint has copied into the database.
    std::uint32_t attempted = 0;  ///< Frames that it may have.
    [[nodiscard]] std::uint32_t most() const noexcept { return done > attempted ? done : attempted; }
};

/// Takes the first 48 bytes of a -shm apart, in the byte order of this machine. Nothing when the index is not initialised or its checksum is wrong.
[[nodiscard]] std::optional<WalIndexHeader> parse_wal_index(std::span<const std::byte> bytes) noexcept;

/// The shared memory of a database in WAL mode, read as a file beside SQLite. A connection of this process has the database open all the while,
/// so that the file is there and stays. One thread.
class WalIndex {
public:
    explicit WalIndex(std::string path) : path_{std::move(path)}, file_{path_} {}

    /// Both copies of the header, which are written one after the other, have to be the same. Throws RetryableError when they never are.
    [[nodiscard]] WalIndexHeader read() const;
    [[nodiscard]] WalBackfill backfill() const;
    /// False when somebody removed the file or put another one in its place.
    [[nodiscard]] bool still_there() const noexcept { return file_.still_at(path_); }

private:
    std::string path_;
    KeptFile file_;
};

}  // namespace rowferry
