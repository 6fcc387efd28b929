#include "tests/support/lossy_vfs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>

#include <sqlite3.h>

namespace rowferry::test {
namespace {

constexpr sqlite3_int64 kBlock = 4096;
using Block = std::array<char, kBlock>;

/// What one file is for this process: the blocks written since the last sync, above what the disk has.
struct Content {
    std::mutex mutex;
    std::map<sqlite3_int64, Block> blocks;  // by number
    sqlite3_int64 size = 0;
    sqlite3_int64 on_disk = 0;  // bytes of the disk's file that still count; beyond them there are zeros
};

std::string marker;
sqlite3_vfs* below = nullptr;
std::mutex contents_mutex;
std::map<std::string, std::shared_ptr<Content>>& contents() {
    static auto* const all = new std::map<std::string, std::shared_ptr<Content>>;
    return *all;
}

/// sqlite3_file of this VFS; the one of the VFS below lies right behind it.
struct LossyFile {
    sqlite3_file base;
    std::shared_ptr<Content> content;
    sqlite3_file* disk;
};

LossyFile& of(sqlite3_file* file) { return *reinterpret_cast<LossyFile*>(file); }

/// Copies one block as it is now, zeros behind its end.
int load_block(LossyFile& file, sqlite3_int64 number, Block& block) {
    const auto known = file.content->blocks.find(number);
    if (known != file.content->blocks.end()) {
        block = known->second;
        return SQLITE_OK;
    }
    block.fill(0);
    const sqlite3_int64 start = number * kBlock;
    const sqlite3_int64 length = std::min(kBlock, file.content->on_disk - start);
    if (length <= 0) return SQLITE_OK;
    const int code = file.disk->pMethods->xRead(file.disk, block.data(), static_cast<int>(length), start);
    return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

int lossy_read(sqlite3_file* handle, void* target, int amount, sqlite3_int64 offset) {
    LossyFile& file = of(handle);
    const std::lock_guard guard{file.content->mutex};
    auto* out = static_cast<char*>(target);
    std::memset(out, 0, static_cast<std::size_t>(amount));
    const sqlite3_int64 end = std::min(offset + amount, file.content->size);
    for (sqlite3_int64 at = offset; at < end;) {
        Block block;
        if (const int code = load_block(file, at / kBlock, block); code != SQLITE_OK) return code;
        const sqlite3_int64 length = std::min(kBlock - at % kBlock, end - at);
        std::memcpy(out + (at - offset), block.data() + at % kBlock, static_cast<std::size_t>(length));
        at += length;
    }
    return offset + amount <= file.content->size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int lossy_write(sqlite3_file* handle, const void* source, int amount, sqlite3_int64 offset) {
    LossyFile& file = of(handle);
    const std::lock_guard guard{file.content->mutex};
    const auto* in = static_cast<const char*>(source);
    for (sqlite3_int64 at = offset; at < offset + amount;) {
        Block block;
        if (const int code = load_block(file, at / kBlock, block); code != SQLITE_OK) return code;
        const sqlite3_int64 length = std::min(kBlock - at % kBlock, offset + amount - at);
        std::memcpy(block.data() + at % kBlock, in + (at - offset), static_cast<std::size_t>(length));
        file.content->blocks[at / kBlock] = block;
        at += length;
    }
    file.content->size = std::max(file.content->size, offset + amount);
    return SQLITE_OK;
}

int lossy_truncate(sqlite3_file* handle, sqlite3_int64 size) {
    LossyFile& file = of(handle);
    const std::lock_guard guard{file.content->mutex};
    Content& content = *file.content;
    if (size < content.size && size % kBlock != 0) {
        Block block;
        if (const int code = load_block(file, size / kBlock, block); code != SQLITE_OK) return code;
        std::fill(block.begin() + size % kBlock, block.end(), '\0');
        content.blocks[size / kBlock] = block;
    }
    content.blocks.erase(content.blocks.lower_bound((size + kBlock - 1) / kBlock), content.blocks.end());
    content.size = size;
    content.on_disk = std::min(content.on_disk, size);
    return SQLITE_OK;
}

int lossy_sync(sqlite3_file* handle, int flags) {
    LossyFile& file = of(handle);
    const std::lock_guard guard{file.content->mutex};
    Content& content = *file.content;
    const sqlite3_io_methods& disk = *file.disk->pMethods;
    sqlite3_int64 present = 0;
    if (const int code = disk.xFileSize(file.disk, &present); code != SQLITE_OK) return code;
    if (present > content.on_disk)
        if (const int code = disk.xTruncate(file.disk, content.on_disk); code != SQLITE_OK) return code;
    for (const auto& [number, block] : content.blocks) {
        const sqlite3_int64 length = std::min(kBlock, content.size - number * kBlock);
        if (length <= 0) continue;
        if (const int code = disk.xWrite(file.disk, block.data(), static_cast<int>(length), number * kBlock); code != SQLITE_OK) return code;
    }
    if (const int code = disk.xFileSize(file.disk, &present); code != SQLITE_OK) return code;
    if (present != content.size)
        if (const int code = disk.xTruncate(file.disk, content.size); code != SQLITE_OK) return code;
    content.blocks.clear();
    content.on_disk = content.size;
    return disk.xSync(file.disk, flags);
}

int lossy_file_size(sqlite3_file* handle, sqlite3_int64* size) {
    const LossyFile& file = of(handle);
    const std::lock_guard guard{file.content->mutex};
    *size = file.content->size;
    return SQLITE_OK;
}

int lossy_close(sqlite3_file* handle) {
    LossyFile& file = of(handle);
    const int code = file.disk->pMethods->xClose(file.disk);
    file.content.~shared_ptr();
    return code;
}

int lossy_control(sqlite3_file* handle, int operation, void* argument) {
    // These would change the file on disk behind our back.
    if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE || operation == SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
    return of(handle).disk->pMethods->xFileControl(of(handle).disk, operation, argument);
}

int lossy_lock(sqlite3_file* f, int level) { return of(f).disk->pMethods->xLock(of(f).disk, level); }
int lossy_unlock(sqlite3_file* f, int level) { return of(f).disk->pMethods->xUnlock(of(f).disk, level); }
int lossy_reserved(sqlite3_file* f, int* result) { return of(f).disk->pMethods->xCheckReservedLock(of(f).disk, result); }
int lossy_sector(sqlite3_file* f) { return of(f).disk->pMethods->xSectorSize(of(f).disk); }
int lossy_traits(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
int lossy_shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** result) {
    return of(f).disk->pMethods->xShmMap(of(f).disk, page, size, extend, result);
}
int lossy_shm_lock(sqlite3_file* f, int offset, int count, int flags) { return of(f).disk->pMethods->xShmLock(of(f).disk, offset, count, flags); }
void lossy_shm_barrier(sqlite3_file* f) { of(f).disk->pMethods->xShmBarrier(of(f).disk); }
int lossy_shm_unmap(sqlite3_file* f, int remove) { return of(f).disk->pMethods->xShmUnmap(of(f).disk, remove); }

constexpr sqlite3_io_methods kMethods = [] {
    sqlite3_io_methods methods{};
    methods.iVersion = 2;  // no memory mapping
    methods.xClose = lossy_close;
    methods.xRead = lossy_read;
    methods.xWrite = lossy_write;
    methods.xTruncate = lossy_truncate;
    methods.xSync = lossy_sync;
    methods.xFileSize = lossy_file_size;
    methods.xLock = lossy_lock;
    methods.xUnlock = lossy_unlock;
    methods.xCheckReservedLock = lossy_reserved;
    methods.xFileControl = lossy_control;
    methods.xSectorSize = lossy_sector;
    methods.xDeviceCharacteristics = lossy_traits;
    methods.xShmMap = lossy_shm_map;
    methods.xShmLock = lossy_shm_lock;
    methods.xShmBarrier = lossy_shm_barrier;
    methods.xShmUnmap = lossy_shm_unmap;
    return methods;
}();

bool is_lossy(const char* path) { return path != nullptr && std::strstr(path, marker.c_str()) != nullptr; }

int lossy_open(sqlite3_vfs*, const char* path, sqlite3_file* handle, int flags, int* out_flags) {
    if (!is_lossy(path)) return below->xOpen(below, path, handle, flags, out_flags);
    handle->pMethods = nullptr;
    auto* disk = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(handle) + sizeof(LossyFile));
    disk->pMethods = nullptr;
    const int code = below->xOpen(below, path, disk, flags, out_flags);
    if (code != SQLITE_OK) {
        if (disk->pMethods != nullptr) disk->pMethods->xClose(disk);
        return code;
    }
    const std::lock_guard guard{contents_mutex};
    std::shared_ptr<Content>& content = contents()[path];
    if (!content) {
        content = std::make_shared<Content>();
        disk->pMethods->xFileSize(disk, &content->size);
        content->on_disk = content->size;
    }
    new (handle) LossyFile{{&kMethods}, content, disk};
    return SQLITE_OK;
}

int lossy_delete(sqlite3_vfs*, const char* path, int sync_folder) {
    {
        const std::lock_guard guard{contents_mutex};
        contents().erase(path);
    }
    return below->xDelete(below, path, sync_folder);
}

int lossy_access(sqlite3_vfs*, const char* path, int flags, int* result) {
    if (flags == SQLITE_ACCESS_EXISTS && is_lossy(path)) {
        const std::lock_guard guard{contents_mutex};
        const auto known = contents().find(path);
        if (known != contents().end()) {
            *result = known->second->size > 0 ? 1 : 0;  // the unix VFS takes an empty file for none as well
            return SQLITE_OK;
        }
    }
    return below->xAccess(below, path, flags, result);
}

}  // namespace

void register_lossy_vfs(const std::string& path_marker) {
    static_assert(sizeof(LossyFile) % alignof(std::max_align_t) == 0, "the file of the VFS below lies behind ours");
    if (path_marker.empty()) throw std::logic_error{"every path contains an empty marker"};
    marker = path_marker;
    below = sqlite3_vfs_find("unix");
    if (below == nullptr) throw std::runtime_error{"SQLite has no unix VFS"};
    static sqlite3_vfs vfs = *below;
    vfs.pNext = nullptr;
    vfs.zName = "lossy";
    vfs.szOsFile = static_cast<int>(sizeof(LossyFile)) + below->szOsFile;
    vfs.xOpen = lossy_open;
    vfs.xDelete = lossy_delete;
    vfs.xAccess = lossy_access;
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) throw std::runtime_error{"SQLite refused the VFS"};
}

}  // namespace rowferry::test
