#pragma once

#include <string>

namespace rowferry {

/// Whether a synchronous_standby_names setting such as `FIRST 1 (a, "B"), *` lists this application, compared without regard to case as
/// PostgreSQL does.
[[nodiscard]] bool standby_names_list(const std::string& setting, const std::string& application);

}  // namespace rowferry
