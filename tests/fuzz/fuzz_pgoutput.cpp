// libFuzzer target: whatever the bytes, decode_message and tuple_cells either succeed or throw DecodeError.
// The first byte chooses the context: bit 0 inside a streamed transaction, bit 1 streaming=parallel.

#include "tests/fuzz/pgoutput_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    rowferry::test::decode_anything(std::as_bytes(std::span{data, size}).subspan(1), (data[0] & 1) != 0, (data[0] & 2) != 0);
    return 0;
}
