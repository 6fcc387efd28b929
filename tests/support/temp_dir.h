#pragma once

#include <filesystem>
#include <string>

namespace rowferry::test {

/// The folder of this test program, /tmp/rowferry-test-XXXXXX, made at the first call. A guardian process (a shell that waits for
/// this program's end on a pipe) removes it and stops servers in it, however the program ends: return, abort, kill -9.
/// With ROWFERRY_KEEP set the files stay for a look afterwards; servers are stopped all the same.
const std::filesystem::path& test_root();

/// A new empty folder below test_root(), named `prefix` and a number. Open to every user of the machine (a server may run as another
/// one). Any thread.
std::filesystem::path new_temp_dir(const std::string& prefix);

}  // namespace rowferry::test
