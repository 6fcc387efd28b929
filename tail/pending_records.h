#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "db/scratch_file.h"

namespace rowferry {

/// The records of one transaction, which wait for its end: in memory, and what outgrows that in a file without a name. One thread.
/// Errors as ScratchFile.
class PendingRecords {
public:
    PendingRecords(std::string directory, std::size_t memory) : directory_{std::move(directory)}, limit_{memory} {}

    /// `description`: not a change, so that it is never the last record of its transaction.
    void add(std::string_view body, bool description);
    /// Changes, without descriptions.
    [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }
    /// In the order in which they came; the views live during the call.
    void for_each(const std::function<void(std::string_view body, bool description, bool last)>& take) const;
    void clear() noexcept;

private:
    std::string directory_;
    std::size_t limit_;
    std::string memory_;  ///< Behind what is in the file. Each record: its size with `description` as the lowest bit, in 8 bytes, then the body.
    std::optional<ScratchFile> file_;
    std::uint64_t changes_ = 0;
};

}  // namespace rowferry
