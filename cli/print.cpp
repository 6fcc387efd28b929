#include <cstdio>

#include "cli/commands.h"
#include "schemas/error.h"

namespace rowferry {

void print(const std::string& text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (std::fflush(stdout) != 0 || !written) throw RetryableError{"standard output cannot be written to"};
}

}  // namespace rowferry
