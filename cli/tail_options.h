#pragma once

#include "cli/options.h"
#include "cli/settings.h"

namespace rowferry {

/// The settings that only `tail` has. Changes `options` as they ask for it: without --stream the stream is temporary and gets a name that nobody
/// else has. Throws UsageError that says where the wrong value came from.
void resolve_tail(const SettingLayer& settings, Options& options);

}  // namespace rowferry
