#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "applier/postgresql/pg_statement.h"
#include "schemas/identity.h"
#include "schemas/sink.h"

namespace rowferry {

/// The statement that moves a stream's checkpoint. A checkpoint that is no longer where we believe it is makes the statement itself fail, so that a COMMIT
/// behind it in a pipeline cannot take effect. One that is gone altogether does not, and is seen by the number of rows: no other run can be led astray by it.
namespace pg_advance {

[[nodiscard]] PgStatement statement();
/// Is this error the statement's own?
[[nodiscard]] bool is_refusal(std::string_view sqlstate, std::string_view message);

}  // namespace pg_advance

/// Values for the parameters. Outlives their sending.
class PgAdvanceValues {
public:
    static constexpr std::size_t kParameters = 8;
    struct From {
        std::string_view stream;
        PositionKind kind;
        Position position;
        std::uint64_t term;
    };
    /// `advance` outlives it.
    PgAdvanceValues(const From& from, const CheckpointAdvance& advance, std::string_view synchronous_commit);
    PgAdvanceValues(const PgAdvanceValues&) = delete;
    PgAdvanceValues& operator=(const PgAdvanceValues&) = delete;

    [[nodiscard]] const std::array<const char*, kParameters>& values() const noexcept { return values_; }
    [[nodiscard]] const std::array<int, kParameters>& lengths() const noexcept { return lengths_; }

private:
    std::string position_;
    std::string time_;
    std::string stream_;
    std::string old_position_;
    std::string term_;
    std::string leader_;
    std::string synchronous_commit_;
    std::array<const char*, kParameters> values_{};
    std::array<int, kParameters> lengths_{};
};

}  // namespace rowferry
