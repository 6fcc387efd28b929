#include "schemas/digest.h"

#include <array>
#include <stdexcept>

#include <openssl/evp.h>

namespace rowferry {
namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

Context new_context() {
    Context context{EVP_MD_CTX_new()};
    if (!context) throw std::bad_alloc{};
    return context;
}

void require(int done) {
    // Not even a FIPS provider lacks it.
    if (done != 1) throw std::runtime_error{"SHA-256 is not available from libcrypto"};
}

}  // namespace

/// `salted` has taken the salt in and is copied for each value.
struct SaltedDigest::Contexts {
    Context salted = new_context();
    Context work = new_context();
};

SaltedDigest::SaltedDigest(std::string_view salt) : contexts_{std::make_unique<Contexts>()} {
    require(EVP_DigestInit_ex(contexts_->salted.get(), EVP_sha256(), nullptr));
    require(EVP_DigestUpdate(contexts_->salted.get(), salt.data(), salt.size()));
}

SaltedDigest::~SaltedDigest() = default;
SaltedDigest::SaltedDigest(SaltedDigest&&) noexcept = default;
SaltedDigest& SaltedDigest::operator=(SaltedDigest&&) noexcept = default;

void SaltedDigest::hex(std::string_view value, char* out) {
    EVP_MD_CTX* work = contexts_->work.get();
    std::array<unsigned char, kSha256HexLength / 2> digest{};
    require(EVP_MD_CTX_copy_ex(work, contexts_->salted.get()));
    require(EVP_DigestUpdate(work, value.data(), value.size()));
    require(EVP_DigestFinal_ex(work, digest.data(), nullptr));
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const unsigned char byte : digest) {
        *out++ = kDigits[byte >> 4];
        *out++ = kDigits[byte & 0xF];
    }
}

std::string sha256_hex(std::string_view text) {
    std::string hex(kSha256HexLength, '\0');
    SaltedDigest{""}.hex(text, hex.data());
    return hex;
}

}  // namespace rowferry
