#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "decoder/sqlite_wal/own_file.h"
#include "decoder/sqlite_wal/page_map.h"
#include "decoder/sqlite_wal/wal_format.h"
#include "schemas/position.h"

namespace rowferry {

/// The end of a commit in a leader's write-ahead log.
struct WalPlace {
    std::uint64_t generation = 0;  ///< Counts the restarts of the log, as far as we noticed (see generations.h).
    std::uint32_t frame = 0;
    WalSalts salts;
    WalChecksum checksum;          ///< Of the frame; all zero where there is none.
    [[nodiscard]] Position position() const noexcept { return {generation, frame}; }
    friend bool operator==(const WalPlace&, const WalPlace&) = default;
};

enum class FrameOrigin : std::uint32_t {
    log,   ///< Frames as they stand in the leader's log.
    diff,  ///< Pages that differ between two moments with many commits between them: the frames of one merged commit.
};

/// Frames that follow each other, as they are appended.
struct FrameBatch {
    FrameOrigin origin = FrameOrigin::log;
    std::uint64_t generation = 0;
    WalSalts salts;
    std::uint32_t first_frame = 0;  ///< diff: the place's number, for all of them.
};

/// One commit in our log.
struct LoggedCommit {
    WalPlace place;
    std::uint32_t pages = 0;  ///< Size of the database after it.
    bool merged = false;
    PageMap images;           ///< Its pages, by their place in the log.
};

/// Our own copy of what the leader's log held, from the shadow's place on: before and after images never depend on the leader. Consists of
/// segments, files `<prefix>.<number>` that are dropped one by one once the shadow has them.
///
///   segment := batch*
///   batch   := header(64) frame*        the header has a checksum of itself and one of the frames
///
/// A crash may leave a last batch that is not whole: it is cut off, for the leader's log or a comparison with the leader has the same again. A crash of the machine may also have taken from
/// the leader what stands here: batches know the start of the machine that they were written after. Reads are
/// through mappings: spans live until the next append() or drop(). One thread. Errors as OwnFile.
class FrameLog {
public:
    static constexpr Position kNoLimit{~std::uint64_t{0}, ~std::uint64_t{0}};

    /// Takes up what is there. A `prefix` that ends with a slash: files without names in that folder, gone with the process.
    FrameLog(std::string prefix, std::uint32_t page_size);

    /// `frames`: headers and pages. A commit may go on in the next batch; a batch may hold many.
    void append(const FrameBatch& batch, std::span<const std::byte> frames);
    /// The next commit that was appended, or taken up. False when there is none up to `limit`.
    bool next(LoggedCommit& commit, Position limit = kNoLimit);
    [[nodiscard]] bool has_commit() const noexcept { return commits_pending_ != 0; }
    /// What next() has not given yet, in bytes.
    [[nodiscard]] std::uint64_t pending_size() const noexcept { return pending_.size() * frame_size(); }
    /// Are there frames whose commit has not come yet?
    [[nodiscard]] bool inside_commit() const noexcept { return !pending_.empty() && !pending_.back().header.commits(); }
    /// Forgets everything behind the last commit that next() gave; without one, everything.
    void cut();
    /// Forgets frames at the end whose commit never came.
    void cut_unfinished();
    /// Was all that was taken up written since the machine started?
    [[nodiscard]] bool of_this_boot() const noexcept { return of_this_boot_; }
    /// Of the last commit that next() has not given yet.
    [[nodiscard]] std::optional<WalPlace> end_of_pending() const;
    /// A new segment, unless the present one is empty.
    void begin_segment();

    [[nodiscard]] std::span<const std::byte> page(std::uint64_t place) const;
    void forget() const noexcept;

    [[nodiscard]] std::size_t segments() const noexcept { return segments_.size(); }
    [[nodiscard]] std::uint64_t last_segment_size() const noexcept { return segments_.empty() ? 0 : segments_.back().file.size(); }
    [[nodiscard]] static std::uint64_t segment_of(std::uint64_t place) noexcept { return place >> kOffsetBits; }
    [[nodiscard]] std::uint64_t first_segment() const noexcept { return segments_.front().number; }
    [[nodiscard]] std::uint64_t last_segment() const noexcept { return segments_.empty() ? 0 : segments_.back().number; }
    /// Of the next commit that next() will give; 0 without one.
    [[nodiscard]] std::uint64_t first_pending_segment() const noexcept { return pending_.empty() ? 0 : segment_of(pending_.front().place); }
    void sync_first() const { segments_.front().file.sync(); }
    void drop_first();
    /// Removes every file of a log.
    static std::vector<std::string> remove(const std::string& prefix, bool dry_run);

private:
    static constexpr unsigned kOffsetBits = 40;
    struct Segment {
        std::uint64_t number;
        OwnFile file;
    };
    struct Frame {
        std::uint64_t place = 0;  ///< Of the page.
        FrameHeader header;
        std::uint64_t generation = 0;
        std::uint32_t number = 0;
        FrameOrigin origin = FrameOrigin::log;
        std::uint64_t batch = 0;  ///< Where its batch begins.
    };
    bool take_up_batch(Segment& segment, std::uint64_t& offset, std::vector<std::byte>& buffer);
    void note_frames(const FrameBatch& batch, std::uint64_t segment, std::uint64_t offset, std::span<const std::byte> frames);
    [[nodiscard]] std::size_t frame_size() const noexcept { return kFrameHeaderSize + page_size_; }
    [[nodiscard]] static WalPlace place_of(const Frame& frame) noexcept;
    void cut_behind(const std::optional<Frame>& end);
    void cut_segment(Segment& segment, const Frame& end);
    [[nodiscard]] const Segment& segment_at(std::uint64_t place) const;

    std::string prefix_;
    std::uint32_t page_size_;
    std::deque<Segment> segments_;
    std::deque<Frame> pending_;
    std::size_t commits_pending_ = 0;
    std::optional<Frame> last_;  ///< That next() gave: where the log is cut.
    bool of_this_boot_ = true;
};

}  // namespace rowferry
