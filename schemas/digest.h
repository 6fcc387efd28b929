#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace rowferry {

inline constexpr std::size_t kSha256HexLength = 64;

/// SHA-256 over a salt and, behind it, a value. Made once, used for many values without allocating. One thread.
class SaltedDigest {
public:
    explicit SaltedDigest(std::string_view salt);
    ~SaltedDigest();
    SaltedDigest(SaltedDigest&&) noexcept;
    SaltedDigest& operator=(SaltedDigest&&) noexcept;

    /// Writes kSha256HexLength characters, lower case.
    void hex(std::string_view value, char* out);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

[[nodiscard]] std::string sha256_hex(std::string_view text);

}  // namespace rowferry
