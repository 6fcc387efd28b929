// libFuzzer target: whatever the bytes, decode_copy_data either succeeds or throws DecodeError, and so does what it carries.

#include "tests/fuzz/pgoutput_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rowferry::test::decode_any_copy_data(std::as_bytes(std::span{data, size}));
    return 0;
}
