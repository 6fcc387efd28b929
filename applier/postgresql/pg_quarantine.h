#pragma once

#include <cstdint>
#include <string>

#include "applier/postgresql/pg_change_sender.h"
#include "applier/postgresql/pg_quarantined_keys.h"

namespace rowferry {

/// Changes of tables whose rows may not fit: keeps such rows out of the table and in rowferry.quarantine, in the same transaction. What it
/// holds to: a key is either in the table or in the side table; in the side table it has its last image, and the first image that fits
/// brings it back. What REPLACE removed on the leader without a word goes from both. One thread.
class PgQuarantine {
public:
    PgQuarantine(PgPipeline& pipeline, PgChangeSender& sender, PgMismatchLog& log, std::string stream);

    /// Applies a change that concerns keys in the side table or whose row does not fit. `position`: for the side table. Throws ValueError
    /// when the change has to stop the stream.
    void apply(PgTablePlan& plan, PgQuarantinedKeys& keys, const Change& change, std::uint32_t event, const std::string& position);
    /// The table is emptied.
    void truncate(const PgTablePlan& plan, PgQuarantinedKeys& keys, std::uint32_t event);

    /// Rows of the side table that had to go because of a REPLACE.
    [[nodiscard]] std::uint64_t replaced_rows() const noexcept { return replaced_; }

private:
    void put(PgTablePlan& plan, PgQuarantinedKeys& keys, const Change& change, const PgMisfit& misfit, std::uint32_t event,
             const std::string& position);
    void drop(PgTablePlan& plan, PgQuarantinedKeys& keys, const std::string& key, std::uint32_t event);
    void displace(PgTablePlan& plan, const Change& change, std::uint32_t event);

    PgPipeline& pipeline_;
    PgChangeSender& sender_;
    PgMismatchLog& log_;
    std::string stream_;
    PgStatement put_;
    PgStatement drop_;
    std::uint64_t replaced_ = 0;
};

}  // namespace rowferry
