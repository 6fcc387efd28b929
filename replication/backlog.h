#pragma once

#include "schemas/batch.h"

namespace rowferry {

/// Was its last transaction committed on the leader a while ago, so that nobody waits for milliseconds? The two machines' clocks may differ: then a
/// backlog is taken for none, or news wait a little.
[[nodiscard]] bool is_backlog(const Batch& batch);

}  // namespace rowferry
