#include "decoder/sqlite_wal/frame_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBatchMagic = 0x31'4C'57'46'52'4F'57'52;  // "RWORFWL1"
constexpr std::size_t kBatchHeader = 64;
constexpr std::size_t kSummedBatchHeader = 48;

/// As it stands in the file, in the byte order of this machine: the file is read by nobody else.
struct BatchHeader {
    std::uint64_t magic = kBatchMagic;
    std::uint64_t generation = 0;
    FrameOrigin origin = FrameOrigin::log;
    std::uint32_t first_frame = 0;
    std::uint32_t count = 0;
    std::uint32_t page_size = 0;
    WalSalts salts;
    WalChecksum frames;
    WalChecksum header;
    std::uint64_t boot = 0;
};
static_assert(sizeof(BatchHeader) == kBatchHeader && offsetof(BatchHeader, header) == kSummedBatchHeader);

/// A number of the machine's present start; another one each time where the system does not tell.
std::uint64_t boot_number() {
    static const std::uint64_t number = [] {
        std::string text;
        std::ifstream{"/proc/sys/kernel/random/boot_id"} >> text;
        std::erase(text, '-');
        std::uint64_t value = 0;
        constexpr std::size_t kDigits = 16;
        if (text.size() >= kDigits && std::from_chars(text.data(), text.data() + kDigits, value, 16).ptr == text.data() + kDigits) return value;
        std::random_device random;
        return std::uint64_t{random()} << 32 | random();
    }();
    return number;
}

WalChecksum sum(std::span<const std::byte> bytes, WalChecksum before = {}) noexcept { return continue_checksum(before, bytes, false); }

WalChecksum sum_of_header(const BatchHeader& header) noexcept { return sum(std::as_bytes(std::span{&header, 1}).first(kSummedBatchHeader), {1, 1}); }

std::optional<std::uint64_t> number_of(const std::string& name, const std::string& stem) {
    if (!name.starts_with(stem + ".")) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [stopped, failure] = std::from_chars(name.data() + stem.size() + 1, end, number);
    if (failure != std::errc{} || stopped != end) return std::nullopt;
    return number;
}

std::vector<std::uint64_t> numbers_of(const std::string& prefix) {
    const fs::path path{prefix};
    std::vector<std::uint64_t> numbers;
    if (!path.has_filename()) return numbers;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{path.parent_path(), none})
        if (const auto number = number_of(entry.path().filename().string(), path.filename().string())) numbers.push_back(*number);
    std::ranges::sort(numbers);
    return numbers;
}

std::string segment_path(const std::string& prefix, std::uint64_t number) { return fmt::format("{}.{}", prefix, number); }

OwnFile segment_file(const std::string& prefix, std::uint64_t number) {
    return prefix.ends_with('/') ? OwnFile{{}, prefix} : OwnFile{segment_path(prefix, number)};
}

}  // namespace

FrameLog::FrameLog(std::string prefix, std::uint32_t page_size) : prefix_{std::move(prefix)}, page_size_{page_size} {
    std::vector<std::byte> buffer;
    bool torn = false;
    for (const std::uint64_t number : numbers_of(prefix_)) {
        if (torn || (!segments_.empty() && number != segments_.back().number + 1)) {
            fs::remove(segment_path(prefix_, number));  // behind a hole nothing counts
            torn = true;
            continue;
        }
        Segment& segment = segments_.emplace_back(Segment{number, segment_file(prefix_, number)});
        std::uint64_t offset = 0;
        while (take_up_batch(segment, offset, buffer)) {
        }
        torn = offset != segment.file.size();
        if (torn) segment.file.truncate(offset);
        segment.file.map();
    }
}

/// False at the end of what is whole.
bool FrameLog::take_up_batch(Segment& segment, std::uint64_t& offset, std::vector<std::byte>& buffer) {
    const std::uint64_t left = segment.file.size() - offset;
    BatchHeader header;
    if (left < kBatchHeader) return false;
    segment.file.read(offset, std::as_writable_bytes(std::span{&header, 1}));
    if (header.magic != kBatchMagic || sum_of_header(header) != header.header || header.page_size != page_size_) return false;
    if (header.count > (left - kBatchHeader) / frame_size()) return false;
    buffer.resize(header.count * frame_size());
    segment.file.read(offset + kBatchHeader, buffer);
    if (sum(buffer) != header.frames) return false;
    of_this_boot_ = of_this_boot_ && header.boot == boot_number();
    note_frames({header.origin, header.generation, header.salts, header.first_frame}, segment.number, offset, buffer);
    offset += kBatchHeader + buffer.size();
    return true;
}

void FrameLog::note_frames(const FrameBatch& batch, std::uint64_t segment, std::uint64_t offset, std::span<const std::byte> frames) {
    Frame frame;
    frame.generation = batch.generation;
    frame.origin = batch.origin;
    frame.number = batch.first_frame;
    frame.batch = segment << kOffsetBits | offset;
    for (std::size_t at = 0; at < frames.size(); at += frame_size()) {
        frame.place = segment << kOffsetBits | (offset + kBatchHeader + at + kFrameHeaderSize);
        frame.header = parse_frame_header(frames.subspan(at));
        frame.header.salts = batch.salts;
        pending_.push_back(frame);
        commits_pending_ += frame.header.commits() ? 1 : 0;
        frame.number += batch.origin == FrameOrigin::log ? 1 : 0;
    }
}

void FrameLog::begin_segment() {
    if (!segments_.empty() && segments_.back().file.size() == 0) return;
    const std::uint64_t number = segments_.empty() ? 1 : segments_.back().number + 1;
    segments_.emplace_back(Segment{number, segment_file(prefix_, number)});
    segments_.back().file.truncate(0);
}

void FrameLog::append(const FrameBatch& batch, std::span<const std::byte> frames) {
    if (segments_.empty()) begin_segment();
    OwnFile& file = segments_.back().file;
    const std::uint64_t offset = file.size();
    BatchHeader header;
    header.generation = batch.generation;
    header.origin = batch.origin;
    header.first_frame = batch.first_frame;
    header.count = static_cast<std::uint32_t>(frames.size() / frame_size());
    header.page_size = page_size_;
    header.salts = batch.salts;
    header.frames = sum(frames);
    header.header = sum_of_header(header);
    header.boot = boot_number();
    try {
        file.write(offset + kBatchHeader, frames);
        file.write(offset, std::as_bytes(std::span{&header, 1}));
    } catch (...) {
        file.truncate(offset);
        throw;
    }
    file.map();
    note_frames(batch, segments_.back().number, offset, frames);
}

bool FrameLog::next(LoggedCommit& commit, Position limit) {
    if (commits_pending_ == 0) return false;
    if (limit != kNoLimit) {
        const auto end = std::ranges::find_if(pending_, [](const Frame& frame) { return frame.header.commits(); });
        if (Position{end->generation, end->number} > limit) return false;
    }
    commit.images.clear();
    for (;;) {
        const Frame frame = pending_.front();
        pending_.pop_front();
        commit.images.put(frame.header.page, frame.place);
        if (!frame.header.commits()) continue;
        commit.place = place_of(frame);
        commit.pages = frame.header.pages_after_commit;
        commit.merged = frame.origin == FrameOrigin::diff;
        last_ = frame;
        --commits_pending_;
        return true;
    }
}

WalPlace FrameLog::place_of(const Frame& frame) noexcept { return {frame.generation, frame.number, frame.header.salts, frame.header.checksum}; }

std::optional<WalPlace> FrameLog::end_of_pending() const {
    for (auto frame = pending_.rbegin(); frame != pending_.rend(); ++frame)
        if (frame->header.commits()) return place_of(*frame);
    return std::nullopt;
}

/// Behind a frame in the middle of a batch perhaps.
void FrameLog::cut_segment(Segment& segment, const Frame& last) {
    const std::uint64_t begin = last.batch & ((1ULL << kOffsetBits) - 1);
    const std::uint64_t end = (last.place & ((1ULL << kOffsetBits) - 1)) + page_size_;
    BatchHeader header;
    segment.file.read(begin, std::as_writable_bytes(std::span{&header, 1}));
    header.count = static_cast<std::uint32_t>((end - begin - kBatchHeader) / frame_size());
    header.frames = {};
    std::vector<std::byte> frame(frame_size());
    for (std::uint32_t i = 0; i < header.count; ++i) {
        segment.file.read(begin + kBatchHeader + i * frame_size(), frame);
        header.frames = sum(frame, header.frames);
    }
    header.header = sum_of_header(header);
    // The header first: a crash then leaves frames that belong to no batch, which the next start cuts off.
    segment.file.write(begin, std::as_bytes(std::span{&header, 1}));
    segment.file.truncate(end);
}

void FrameLog::cut() {
    pending_.clear();
    commits_pending_ = 0;
    cut_behind(last_);
}

void FrameLog::cut_unfinished() {
    if (!inside_commit()) return;
    while (inside_commit()) pending_.pop_back();
    cut_behind(pending_.empty() ? last_ : std::optional{pending_.back()});
}

void FrameLog::cut_behind(const std::optional<Frame>& end) {
    while (!segments_.empty() && (!end || segments_.back().number > segment_of(end->place))) {
        fs::remove(segments_.back().file.path());
        segments_.pop_back();
    }
    if (end && !segments_.empty() && segments_.back().number == segment_of(end->place)) cut_segment(segments_.back(), *end);
}

const FrameLog::Segment& FrameLog::segment_at(std::uint64_t place) const { return segments_.at(segment_of(place) - segments_.front().number); }

std::span<const std::byte> FrameLog::page(std::uint64_t place) const {
    return segment_at(place).file.bytes(place & ((1ULL << kOffsetBits) - 1), page_size_);
}

void FrameLog::forget() const noexcept {
    for (const Segment& segment : segments_) segment.file.forget();
}

void FrameLog::drop_first() {
    fs::remove(segments_.front().file.path());
    if (last_ && segment_of(last_->place) == segments_.front().number) last_.reset();
    // Numbers go on, so that a place is never that of another frame.
    if (segments_.size() == 1) begin_segment();
    segments_.pop_front();
}

std::vector<std::string> FrameLog::remove(const std::string& prefix, bool dry_run) {
    std::vector<std::string> removed;
    for (const std::uint64_t number : numbers_of(prefix)) {
        removed.push_back(segment_path(prefix, number));
        if (!dry_run) fs::remove(removed.back());
    }
    return removed;
}

}  // namespace rowferry
