#pragma once

#include <span>

#include "cli/options.h"
#include "db/stop_signal.h"

namespace rowferry {

/// The methods that have a source for such a leader, the default for new streams first.
[[nodiscard]] std::span<const CaptureMethod> capture_methods(Engine leader);

/// For --capture. Throws UsageError: no method of that name, or none for such a leader; it names those that exist.
[[nodiscard]] CaptureMethod parse_capture(Engine leader, std::string_view text);

/// The method that the follower's checkpoint has for the command's stream; nothing without one. Asks the follower, and writes nothing.
[[nodiscard]] std::optional<CaptureMethod> captured_by(const Options& options, const StopSignal& stop);

/// The method of the command's stream: what the follower's checkpoint says; for a stream that does not exist yet what --capture says, else the default. Asks the
/// follower, and writes nothing. Throws RefusedError when --capture wants another one than the checkpoint, and for a
/// temporary stream where the only default that leaves nothing behind cannot work.
[[nodiscard]] CaptureMethod choose_capture(const Options& options, const StopSignal& stop);

}  // namespace rowferry
