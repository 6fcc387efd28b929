#include <malloc.h>

#include "cli/cli_main.h"

int main(int argc, char** argv) {
#ifdef M_MMAP_THRESHOLD
    // Left to itself glibc raises this limit to the largest block it ever freed and keeps blocks of that size in heaps full of holes: a long
    // transaction then takes many times what it uses. Fixed, large blocks go back to the system.
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
    return rowferry::cli_main(argc, argv);
}
