// Scripts of SQL text: whatever bytes come, in whatever pieces, the splitter and SQLite agree.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/sql_script_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string script{reinterpret_cast<const char*>(data + 1), size - 1};
    const std::string problem = rowferry::test::script_problem(script, 1 + data[0] % 64);
    if (problem.empty()) return 0;
    std::fprintf(stderr, "%s\n", problem.c_str());
    std::abort();
}
