#pragma once

#include <optional>
#include <string>
#include <vector>

#include "decoder/sqlite_wal/page_store.h"

namespace rowferry {

/// What rowferry keeps of a stream beside its leader: `<stream>.json` in a folder of its own (whose the stream is, and the place of the pages; replaced at once).
/// The pages themselves (`….shadow`) and what was committed since (`….log.N`) are there too, or in a folder that the user named. A shadow whose making was
/// not finished does not count.
struct ShadowNames {
    std::string folder;
    std::string stream;
    [[nodiscard]] std::string state() const { return folder + "/" + stream + ".json"; }
    [[nodiscard]] std::string prefix() const { return folder + "/" + stream; }
};

struct ShadowRecord {
    std::string follower_id;
    std::string leader;  ///< file_identity().
    std::string prefix;  ///< Of the files with pages; empty: the stream has no shadow.
    StoreState state;
    [[nodiscard]] std::string pages() const { return prefix + ".shadow"; }
    [[nodiscard]] std::string log() const { return prefix + ".log"; }
};

/// Writes down whose the stream is, without a shadow.
void write_record(const ShadowNames& names, const ShadowRecord& record);

/// Nothing when there is none. Throws HaltError for one that cannot be read or has another format.
[[nodiscard]] std::optional<ShadowRecord> read_shadow(const ShadowNames& names);

/// Removes what there is of a shadow; returns the names of the files.
std::vector<std::string> remove_shadow(const ShadowNames& names, bool dry_run);

/// All pages of a database at one place. One thread, and one process: the stream's lock is held.
class Shadow : public BasePages {
public:
    /// Takes up one that is there.
    Shadow(ShadowNames names, ShadowRecord record);

    /// Makes one: write() every page, then finish() with the place. Removes what was there before. Throws RetryableError when the disk is full.
    [[nodiscard]] static std::unique_ptr<Shadow> make(ShadowNames names, ShadowRecord record);

    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const override;
    void write(std::uint32_t number, std::span<const std::byte> bytes) override;
    void finish(const StoreState& state) override;
    void forget() const noexcept override { file_.forget(); }

private:
    [[nodiscard]] std::uint64_t offset_of(std::uint32_t number) const noexcept { return std::uint64_t{number - 1} * record_.state.page_size; }

    ShadowNames names_;
    ShadowRecord record_;
    OwnFile file_;
    std::vector<std::byte> empty_;  ///< A page that was never written: SQLite never reads those.
};

/// The leader's own file where there is no shadow. What is read from it is right as long as nothing newer than the log's beginning is copied into it:
/// a read pin of ours sees to that. What has to be kept beyond is in a file without a name.
class BorrowedPages : public BasePages {
public:
    BorrowedPages(KeptFile leader, std::uint32_t page_size, const std::string& folder);

    [[nodiscard]] std::span<const std::byte> page(std::uint32_t number) const override;
    void write(std::uint32_t number, std::span<const std::byte> bytes) override;
    void finish(const StoreState&) override { kept_.map(); }
    void forget() const noexcept override { kept_.forget(); }
    /// Keeps a page as the leader's file has it now.
    void keep(std::uint32_t number);

private:
    KeptFile leader_;
    std::uint32_t page_size_;
    OwnFile kept_;
    PageMap places_;
    mutable std::vector<std::byte> held_;  ///< The last pages that were read, in turn.
    mutable std::size_t turn_ = 0;
};

}  // namespace rowferry
