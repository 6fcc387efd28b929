#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "schemas/digest.h"
#include "triggers/postgresql/captured_tables.h"
#include "triggers/postgresql/log_entry.h"

namespace rowferry::pg_capture {

/// A statement trigger logs at the end of its statement. What triggers of other tables, or functions that it calls, changed in the same table meanwhile stands in front of it in the log although it happened
/// behind it: then the old rows of the statement are not what the log before it left. Looks at the tables and transactions in which that can be. One batch.
class NestingCheck {
public:
    /// Transactions and relations with an entry behind a deeper one, each with the number of its last such entry: only these have to be compared.
    using Crossed = std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t>;

    /// A new batch. `ask` is called at its first entry that comes from inside another statement, so that a batch without any pays nothing.
    void begin(std::function<Crossed()> ask);
    /// Of entries that log statements, in the order of the log; after CapturedTables::decode(). Throws HaltError for an entry that stands in the wrong place.
    void see(const LogEntry& entry, const CapturedTables& tables, Arena& arena);

private:
    /// The first 128 bits of SHA-256, of a key or of a row's text, which may be long and many. Two keys that shared one would stop the stream at worst, as one row is compared with the other; two
    /// rows that did would let a difference pass, and neither chance nor anybody who writes to the table can make such a pair.
    using Digest = std::array<std::uint64_t, 2>;
    struct HashOfDigest {
        std::size_t operator()(const Digest& digest) const noexcept { return digest[0]; }
    };
    struct Rows {
        int depth = 0;                                                        ///< The deepest so far.
        std::unordered_map<Digest, std::optional<Digest>, HashOfDigest> left;  ///< By key: the row as the log left it; nothing: it is gone.
    };
    [[nodiscard]] Digest digest(std::string_view text);
    void compare(Rows& rows, const LogEntry& entry, const CapturedTables& tables, Arena& arena);

    std::function<Crossed()> ask_;
    std::optional<Crossed> crossed_;
    std::map<std::pair<std::uint64_t, std::uint32_t>, Rows> nested_;  ///< Of those in crossed_, from the first entry from inside to the last that is compared.
    SaltedDigest sha_{""};
};

}  // namespace rowferry::pg_capture
