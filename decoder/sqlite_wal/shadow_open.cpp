#include "decoder/sqlite_wal/shadow_open.h"

#include <fmt/format.h>

#include "decoder/sqlite_wal/wal_file.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
void make_shadow(const ShadowNames& names, const ShadowRecord& record, const LivePages& live, const StopSignal& stop) {
    try {
        const auto shadow = Shadow::make(names, record);
        std::vector<std::byte> page(record.state.page_size);
        for (std::uint32_t number = 1; number <= live.page_count(); ++number) {
            if (number % kPagesPerLook == 0) stop.check();
            live.read(number, page);
            shadow->write(number, page);
        }
        shadow->finish(record.state);
    } catch (...) {
        remove_shadow(names, false);
        throw;
    }
}

std::unique_ptr<PageStore> open_shadowed_store(const ShadowNames& names, const ShadowRecord& record, Position place) {
    if (record.state.place.position() > place)
        throw HaltError{fmt::format("{}: the shadow stands at {}, and the follower at {}: the follower was restored from a backup, or is another one. `rowferry drop LEADER FOLLOWER`, then `rowferry "
                                    "run` with --on-existing truncate copies again",
                                    printable(record.pages()), to_string(PositionKind::frame, record.state.place.position()), to_string(PositionKind::frame, place))};
    auto store = std::make_unique<PageStore>(std::make_unique<Shadow>(names, record), FrameLog{record.log(), record.state.page_size}, record.state);
    while (store->open_commit(place)) store->close_commit();
    // What was read ahead of the follower is told commit by commit, unless the machine went down: the leader may have lost it then.
    if (store->state().place.position() == place && store->log().of_this_boot())
        store->log().cut_unfinished();
    else
        store->log().cut();
    return store;
}

std::unique_ptr<PageStore> open_borrowed_store(const WalAccess& access, const WalPlace& place, const std::string& folder) {
    const WalIndexHeader now = access.index().read();
    const auto ends_before = [&] {
        return HaltError{fmt::format("{}: its log ends before {}, which the follower has: the leader lost the end of its history", printable(access.path()),
                                     to_string(PositionKind::frame, place.position()))};
    };
    if (now.last_frame < place.frame) throw ends_before();
    StoreState state{{place.generation, 0, place.salts, {}}, access.page_size(), access.page_count(now)};
    auto store = std::make_unique<PageStore>(std::make_unique<BorrowedPages>(access.database(), state.page_size, folder),
                                             FrameLog{folder + "/", state.page_size}, state);
    WalFile wal{access.wal_path(), state.page_size};
    wal.begin(now, 0, {});
    std::vector<std::byte> buffer;
    while (wal.frame() < place.frame) {
        const auto frames = wal.read(place.frame, buffer, kReadBytes);
        const std::uint32_t first = wal.frame() + 1;
        wal.take(frames);
        store->log().append({FrameOrigin::log, place.generation, place.salts, first}, frames);
        while (store->open_commit()) store->close_commit();
    }
    if (store->state().place.position() != place.position()) throw ends_before();
    return store;
}

}  // namespace rowferry
