#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "decoder/sqlite_wal/wal_format.h"

namespace rowferry {

/// Numbers the restarts of a leader's write-ahead log. The log itself only has random salts, so whoever sees new ones writes down the next number, in a
/// file that all streams of a leader share. A restart that nobody saw has no number: numbers rise, that is all. Any process; each call locks the file.
/// Errors: HaltError for a file that is not ours or damaged.
class Generations {
public:
    /// `folder`: rowferry's own for this leader; made when it is needed.
    explicit Generations(std::string folder) : folder_{std::move(folder)} {}

    /// The number of the log with these salts. The caller has read them just now, while nothing could restart the log unseen, or passes the number it
    /// is at: never a smaller one is given.
    [[nodiscard]] std::uint64_t number(const WalSalts& salts, std::uint64_t at_least = 1);
    /// The same without writing: what number() would say.
    [[nodiscard]] std::uint64_t look(const WalSalts& salts) const;

    /// Removes the file.
    [[nodiscard]] std::string path() const { return folder_ + "/generations"; }

private:
    std::string folder_;
};

}  // namespace rowferry
