#include <cstdlib>

#include "cli/cli_main.h"
#include "tests/support/lossy_vfs.h"

// rowferry on a disk that forgets: what it did not sync to the files whose path contains ROWFERRY_LOSSY_PATH is lost when it is killed.
int main(int argc, char** argv) {
    const char* marker = std::getenv("ROWFERRY_LOSSY_PATH");
    if (marker == nullptr) return 2;
    rowferry::test::register_lossy_vfs(marker);
    ::unsetenv("ROWFERRY_LOSSY_PATH");  // not an option of rowferry's
    return rowferry::cli_main(argc, argv);
}
