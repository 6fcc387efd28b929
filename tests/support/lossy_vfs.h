#pragma once

#include <string>

namespace rowferry::test {

/// Makes SQLite lose what was not synced: registers, as default, a VFS above the unix one that keeps writes and truncations of every file
/// whose path contains `marker` in memory until xSync. A process that is killed then leaves what a power cut may leave: of each file
/// exactly its state at the last sync. Files of other paths are the unix VFS's own.
///
/// Connections of one process share what is in memory. Another process sees the files without it, so nobody else may open them while
/// the process runs. Before the first sqlite3_open; once per process.
void register_lossy_vfs(const std::string& marker);

}  // namespace rowferry::test
