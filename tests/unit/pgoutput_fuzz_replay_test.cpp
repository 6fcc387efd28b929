// A short fuzz in every test run: mutations of valid messages, about two seconds of them. The seed is printed; PGOUTPUT_FUZZ_SEED=<seed>
// repeats a run, as the n-th input depends on the seed alone.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuzz/corpus.h"
#include "tests/fuzz/pgoutput_oracle.h"
#include "tests/unit/pgoutput_recording.h"

namespace rowferry::test {
namespace {

using Random = std::mt19937_64;

std::uint64_t choose_seed() {
    const char* given = std::getenv("PGOUTPUT_FUZZ_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "repeat with PGOUTPUT_FUZZ_SEED=" << seed << std::endl;
    return seed;
}

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }  // a bias does no harm here

/// Numbers that parsers stumble over, in the sizes that the protocol has.
std::string evil_number(Random& random) {
    static const std::vector<std::string> kNumbers{std::string(2, '\0'),
                                                   std::string(4, '\0'),
                                                   std::string(8, '\0'),
                                                   std::string(2, '\xFF'),
                                                   std::string(4, '\xFF'),
                                                   std::string(8, '\xFF'),
                                                   "\x7F\xFF",
                                                   "\x7F\xFF\xFF\xFF",
                                                   "\x80",
                                                   {"\x80\0", 2},
                                                   {"\x80\0\0\0", 4},
                                                   {"\0\1", 2},
                                                   {"\0\0\0\1", 4},
                                                   "\x40\x01",
                                                   {"\x3F\xFF\xFF\xFF"},
                                                   {"\0\xFF\xFF\xFF", 4}};
    return kNumbers[below(random, kNumbers.size())];
}

void mutate(std::string& bytes, const std::string& other, Random& random) {
    const auto place = [&] { return below(random, bytes.size() + 1); };
    switch (below(random, 7)) {
        case 0:
            if (!bytes.empty()) bytes[below(random, bytes.size())] ^= static_cast<char>(1U << below(random, 8));
            break;
        case 1:
            if (!bytes.empty()) bytes[below(random, bytes.size())] = static_cast<char>(random());
            break;
        case 2: bytes.resize(place()); break;
        case 3: {
            const std::string number = evil_number(random);
            bytes.replace(place(), number.size(), number);
            break;
        }
        case 4: bytes.insert(place(), 1, "ntubNKO\0"[below(random, 8)]); break;
        case 5: bytes.erase(place(), below(random, 5)); break;
        default: {
            const std::size_t from = below(random, other.size() + 1);
            bytes.insert(place(), other, from, below(random, 20));
        }
    }
}

std::vector<std::string> seeds() {
    std::vector<std::string> out;
    for (const Sample& sample : message_samples()) out.push_back(sample.bytes.data());
    for (const char* hex : kPlainRecording) out.push_back(Bytes::hex(hex).data());
    for (const char* hex : kStreamRecording) out.push_back(Bytes::hex(hex).data());
    for (const char* hex : kTwoPhaseRecording) out.push_back(Bytes::hex(hex).data());
    return out;
}

/// Calls `run` with mutated inputs for `time` and says how many of them were still valid.
template <typename Run>
void fuzz(const std::vector<std::string>& from, std::chrono::milliseconds time, Run run) {
    Random random{choose_seed()};
    std::uint64_t inputs = 0;
    std::uint64_t valid = 0;
    const auto end = std::chrono::steady_clock::now() + time;
    while (inputs % 256 != 0 || std::chrono::steady_clock::now() < end) {
        std::string bytes = from[below(random, from.size())];
        const std::string& other = from[below(random, from.size())];
        for (std::size_t i = 1 + below(random, 4); i > 0; --i) mutate(bytes, other, random);
        const HeapBytes heap{bytes};
        if (run(heap.span(), random)) ++valid;
        ++inputs;
    }
    std::cout << inputs << " inputs, " << valid << " of them valid" << std::endl;
    EXPECT_GT(inputs, 1000U);
    EXPECT_GT(valid, inputs / 1000) << "the mutations are too wild to get past the first check";
    EXPECT_LT(valid, inputs * 9 / 10) << "the mutations are too tame to break anything";
}

TEST(PgoutputFuzzReplay, TheCorpusDecodesOrThrows) {
    std::size_t valid = 0;
    const std::vector<std::string> messages = fuzz_corpus("pgoutput");
    for (const std::string& input : messages) {
        const HeapBytes heap{input.substr(1)};  // behind the byte that chooses the context
        if (decode_anything(heap.span(), (input[0] & 1) != 0, (input[0] & 2) != 0)) ++valid;
    }
    EXPECT_GT(valid, messages.size() / 2);
    const std::vector<std::string> framed = fuzz_corpus("copy_data");
    EXPECT_FALSE(framed.empty());
    for (const std::string& input : framed) static_cast<void>(decode_any_copy_data(HeapBytes{input}.span()));
}

TEST(PgoutputFuzzReplay, AnyBytesDecodeOrThrow) {
    fuzz(seeds(), std::chrono::milliseconds{1500}, [](std::span<const std::byte> bytes, Random& random) {
        return decode_anything(bytes, below(random, 2) == 0, below(random, 4) == 0);
    });
}

TEST(PgoutputFuzzReplay, AnyCopyDataDecodesOrThrows) {
    std::vector<std::string> framed{Bytes{}.tag('k').u64(0x3000).i64(77).u8(1).data()};
    for (const std::string& payload : seeds()) {
        framed.push_back(Bytes{}.tag('w').u64(0x1000).u64(0x2000).i64(5).raw(payload).data());
        framed.push_back(framed.front());  // as many keepalives as data
    }
    fuzz(framed, std::chrono::milliseconds{500}, [](std::span<const std::byte> bytes, Random&) { return decode_any_copy_data(bytes); });
}

}  // namespace
}  // namespace rowferry::test
