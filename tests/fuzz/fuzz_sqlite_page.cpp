// libFuzzer target: whatever the bytes, the cells and records of a SQLite page either decode or throw DecodeError or ValueError.

#include "tests/fuzz/sqlite_wal_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rowferry::test::decode_any_page(std::as_bytes(std::span{data, size}));
    return 0;
}
