// libFuzzer target: whatever the pages, the difference between two states of a SQLite database either comes out as whole rows or is an error that halts.

#include "tests/fuzz/sqlite_wal_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rowferry::test::decode_any_commit(std::as_bytes(std::span{data, size}));
    return 0;
}
