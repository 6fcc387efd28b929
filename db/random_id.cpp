#include "db/random_id.h"

#include <random>

#include <fmt/format.h>

namespace rowferry {

std::string random_id(std::size_t digits) {
    std::random_device device;
    std::string id;
    while (id.size() < digits) id += fmt::format("{:08x}", device());
    return id;
}

}  // namespace rowferry
