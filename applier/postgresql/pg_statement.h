#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

// pg_type.oid of what statements of ours take.
inline constexpr std::uint32_t kByteaOid = 17;
inline constexpr std::uint32_t kInt8Oid = 20;
inline constexpr std::uint32_t kTextOid = 25;
inline constexpr std::uint32_t kByteaArrayOid = 1001;
inline constexpr std::uint32_t kTextArrayOid = 1009;

/// Which columns an update writes, one bit per leader column.
class ColumnMask {
public:
    void reset(std::size_t columns) { words_.assign((columns + 63) / 64, 0); }
    void set(std::size_t column) { words_[column / 64] |= std::uint64_t{1} << (column % 64); }
    [[nodiscard]] bool test(std::size_t column) const { return (words_[column / 64] >> (column % 64) & 1) != 0; }
    friend bool operator==(const ColumnMask&, const ColumnMask&) = default;

private:
    std::vector<std::uint64_t> words_;
};

/// Where a statement's parameter comes from.
struct PgParameter {
    enum class Image : std::uint8_t {
        after,
        key,  ///< The row before; that of `after` when the change has no image before.
    };
    std::uint16_t column = 0;
    Image image = Image::after;
    friend bool operator==(const PgParameter&, const PgParameter&) = default;
};

/// A statement of the sink and how to fill it. `name` is that of the prepared statement; empty: sent with its text every time.
struct PgStatement {
    std::string name;
    std::string sql;
    std::vector<PgParameter> parameters;
    std::vector<std::uint32_t> types;  ///< Oid of each parameter.
    std::vector<int> formats;          ///< 1: binary (bytea from a blob).
    bool counts_replaced = false;      ///< Returns one row: how many rows had to go.
    bool prepared = false;
};

/// The same for an update or delete that has to concern one row and returns nothing: the server itself refuses any other number, so that what
/// follows it in a pipeline, such as a COMMIT, cannot take effect.
[[nodiscard]] PgStatement counted(const PgStatement& statement);
/// How many rows there were instead, when that is what `message`, of sqlstate 22P02, is about.
[[nodiscard]] std::optional<std::uint64_t> refused_count(std::string_view sqlstate, std::string_view message);

/// Updates by the columns they write, made once and kept.
class PgUpdateStatements {
public:
    /// An application that draws its columns by lot does not get more than `most`.
    explicit PgUpdateStatements(std::size_t most) : most_{most} {}
    [[nodiscard]] PgStatement* find(const ColumnMask& mask);
    [[nodiscard]] bool full() const noexcept { return known_.size() >= most_; }
    /// Names it `prefix` with a number behind. Valid as long as this is.
    PgStatement& add(const ColumnMask& mask, PgStatement statement, const std::string& prefix);

private:
    struct Known {
        ColumnMask mask;
        PgStatement statement;
    };
    std::size_t most_;
    std::deque<Known> known_;  // a deque: statements are referred to while more are added
    std::size_t last_ = 0;     // found or added last
};

}  // namespace rowferry
