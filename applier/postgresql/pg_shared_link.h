#pragma once

#include <memory>

#include "db/pg_link.h"

namespace rowferry {

/// A follower's link, shared with the sink or copy target that writes through it. The follower decides when it ends: a sink that failed
/// may still be there when the next one is opened over a new link, and must find that its own is gone.
struct PgSharedLink {
    std::unique_ptr<PgLink> link;  ///< Empty once closed.
};

}  // namespace rowferry
