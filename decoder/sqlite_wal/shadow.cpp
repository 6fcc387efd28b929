#include "decoder/sqlite_wal/shadow.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr std::size_t kPagesHeld = 2 * PageView::kPagesHeld;  // two views may read by turns

std::string to_text(const ShadowRecord& record) {
    const WalPlace& place = record.state.place;
    nlohmann::ordered_json json;
    json["format"] = kFormat;
    json["follower"] = record.follower_id;
    json["leader"] = record.leader;
    json["files"] = record.prefix;
    json["page_size"] = record.state.page_size;
    json["pages"] = record.state.pages;
    json["generation"] = place.generation;
    json["frame"] = place.frame;
    json["salts"] = {place.salts.first, place.salts.second};
    json["checksum"] = {place.checksum.first, place.checksum.second};
    return json.dump() + "\n";
}

}  // namespace

std::optional<ShadowRecord> read_shadow(const ShadowNames& names) {
    std::ifstream file{names.state()};
    if (!file) return std::nullopt;
    try {
        const auto json = nlohmann::json::parse(file);
        if (json.at("format").get<int>() != kFormat) throw HaltError{fmt::format("{}: it was written by another version of rowferry", printable(names.state()))};
        ShadowRecord record;
        record.follower_id = json.at("follower").get<std::string>();
        record.leader = json.at("leader").get<std::string>();
        record.prefix = json.at("files").get<std::string>();
        record.state.page_size = json.at("page_size").get<std::uint32_t>();
        record.state.pages = json.at("pages").get<std::uint32_t>();
        WalPlace& place = record.state.place;
        place.generation = json.at("generation").get<std::uint64_t>();
        place.frame = json.at("frame").get<std::uint32_t>();
        place.salts = {json.at("salts").at(0).get<std::uint32_t>(), json.at("salts").at(1).get<std::uint32_t>()};
        place.checksum = {json.at("checksum").at(0).get<std::uint32_t>(), json.at("checksum").at(1).get<std::uint32_t>()};
        if (!is_page_size(record.state.page_size) && !record.prefix.empty()) throw HaltError{fmt::format("{}: a page size of {}", printable(names.state()), record.state.page_size)};
        return record;
    } catch (const nlohmann::json::exception& error) {
        throw HaltError{fmt::format("{}: it is not what rowferry wrote there: {}", printable(names.state()), printable(error.what(), 200))};
    }
}

std::vector<std::string> remove_shadow(const ShadowNames& names, bool dry_run) {
    std::vector<std::string> removed;
    const auto remove = [&](const std::string& path) {
        if (!fs::exists(path)) return;
        removed.push_back(path);
        if (!dry_run) fs::remove(path);
    };
    ShadowRecord record;
    try {
        record = read_shadow(names).value_or(ShadowRecord{});
    } catch (const HaltError& error) {
        spdlog::warn("{}", error.what());
    }
    if (record.prefix.empty()) record.prefix = names.prefix();
    // What says that there is a shadow goes first.
    remove(names.state());
    remove(names.state() + ".new");
    remove(record.pages());
    for (std::string& path : FrameLog::remove(record.log(), dry_run)) removed.push_back(std::move(path));
    return removed;
}

Shadow::Shadow(ShadowNames names, ShadowRecord record)
    : names_{std::move(names)}, record_{std::move(record)}, file_{record_.pages()}, empty_(record_.state.page_size) {
    file_.map();
}

void write_record(const ShadowNames& names, const ShadowRecord& record) { replace_file(names.state(), to_text(record)); }

std::unique_ptr<Shadow> Shadow::make(ShadowNames names, ShadowRecord record) {
    remove_shadow(names, false);
    std::error_code none;
    fs::remove(record.pages(), none);
    FrameLog::remove(record.log(), false);
    return std::make_unique<Shadow>(std::move(names), std::move(record));
}

std::span<const std::byte> Shadow::page(std::uint32_t number) const {
    const std::uint64_t offset = offset_of(number);
    if (offset + record_.state.page_size > file_.size()) return empty_;
    return file_.bytes(offset, record_.state.page_size);
}

void Shadow::write(std::uint32_t number, std::span<const std::byte> bytes) { file_.write(offset_of(number), bytes); }

void Shadow::finish(const StoreState& state) {
    file_.sync();
    file_.map();
    record_.state = state;
    replace_file(names_.state(), to_text(record_));
}

BorrowedPages::BorrowedPages(KeptFile leader, std::uint32_t page_size, const std::string& folder)
    : leader_{leader}, page_size_{page_size}, kept_{{}, folder}, held_(kPagesHeld * page_size) {}

std::span<const std::byte> BorrowedPages::page(std::uint32_t number) const {
    if (const std::uint64_t* place = places_.find(number)) return kept_.bytes(*place, page_size_);
    const std::span<std::byte> bytes = std::span{held_}.subspan(turn_++ % kPagesHeld * page_size_, page_size_);
    const std::size_t count = leader_.read(std::uint64_t{number - 1} * page_size_, bytes);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(count), bytes.end(), std::byte{0});
    return bytes;
}

void BorrowedPages::write(std::uint32_t number, std::span<const std::byte> bytes) {
    const std::uint64_t* known = places_.find(number);
    const std::uint64_t place = known != nullptr ? *known : std::uint64_t{places_.size()} * page_size_;
    kept_.write(place, bytes);
    if (known == nullptr) places_.put(number, place);
}

void BorrowedPages::keep(std::uint32_t number) {
    if (places_.find(number) == nullptr) write(number, page(number));
}

}  // namespace rowferry
