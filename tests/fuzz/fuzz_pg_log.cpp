// libFuzzer target, built once for each format (PG_LOG_FORMAT): whatever the bytes of a server's log, they are read to their end or there is a typed stop.

#include "tests/fuzz/pg_log_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rowferry::test::read_any_log(rowferry::LogFormat::PG_LOG_FORMAT, {reinterpret_cast<const char*>(data), size});
    return 0;
}
