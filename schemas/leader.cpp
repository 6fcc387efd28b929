#include "schemas/leader.h"

namespace rowferry {

std::string StreamRequest::canonical() const {
    const std::string asked = rules.canonical();
    return selection.canonical() + (asked.empty() ? "" : "\n" + asked);
}

}  // namespace rowferry
