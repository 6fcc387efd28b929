// Broken pages in every test run: each byte of a commit's pages flipped, and two seconds of random mutations. The seed is printed; SQLITE_WAL_FUZZ_SEED=<seed>
// repeats a run, as the n-th input depends on the seed alone. The corpus of the libFuzzer targets is part of what is mutated.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "tests/fuzz/corpus.h"
#include "tests/fuzz/sqlite_wal_oracle.h"
#include "tests/support/wal_leader.h"

namespace rowferry::test {
namespace {

using Bytes = std::vector<std::byte>;

void append(Bytes& to, std::span<const std::byte> bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

/// What decode_any_commit() reads.
Bytes commit_input(const MemoryPages& before, const WalCommit& commit) {
    Bytes input{static_cast<std::byte>(before.page_count()), static_cast<std::byte>(commit.pages.size()), static_cast<std::byte>(commit.page_count)};
    for (std::uint32_t page = 1; page <= before.page_count(); ++page) append(input, before.page(page));
    for (const auto& [number, page] : commit.pages) {
        input.push_back(static_cast<std::byte>(number));
        append(input, page);
    }
    return input;
}

/// Commits of a small database that has something of everything.
std::vector<Bytes> sample_commits() {
    WalLeader leader{"PRAGMA page_size = 512"};
    leader.db().exec(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, v UNIQUE); CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE plain (a);"
        "INSERT INTO t VALUES (1, 1.5, 'one'), (2, 2, zeroblob(1200)), (300, 0.1, NULL);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25) INSERT INTO w SELECT 'key ' || i, zeroblob(i * 7) FROM n;"
        "INSERT INTO plain VALUES ('x'), ('x'), (x'00ff')");
    leader.start();
    leader.db().exec("BEGIN; UPDATE t SET r = r + 1; DELETE FROM w WHERE k < 'key 2'; INSERT INTO w VALUES ('more', zeroblob(900)); DELETE FROM plain WHERE rowid = 1; COMMIT");
    leader.db().exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT NULL, i, 'row ' || i FROM n");
    leader.db().exec("ALTER TABLE plain ADD COLUMN b TEXT DEFAULT 'new'");
    leader.db().exec("DROP TABLE w; CREATE TABLE fresh AS SELECT * FROM t LIMIT 5");
    leader.db().exec("VACUUM");
    std::vector<Bytes> inputs;
    for (const WalCommit& commit : leader.take()) {
        inputs.push_back(commit_input(leader.pages(), commit));
        leader.pages().commit(commit.pages, commit.page_count);
    }
    return inputs;
}

std::vector<Bytes> corpus(const std::string& name) {
    std::vector<Bytes> inputs;
    for (const std::string& text : fuzz_corpus(name)) append(inputs.emplace_back(), std::as_bytes(std::span{text}));
    return inputs;
}

TEST(SqliteWalFuzzReplay, TheSamplesThemselvesMakeSense) {
    for (const Bytes& input : sample_commits()) EXPECT_TRUE(decode_any_commit(input));
    EXPECT_GE(corpus("sqlite_commit").size(), 4U);
    for (const Bytes& input : corpus("sqlite_commit")) EXPECT_TRUE(decode_any_commit(input));
    EXPECT_GE(corpus("sqlite_page").size(), 4U);
    for (const Bytes& input : corpus("sqlite_page")) decode_any_page(input);
}

TEST(SqliteWalFuzzReplay, EveryByteOfACommitFlipped) {
    const Bytes sound = sample_commits().front();
    const std::size_t first = 3 + std::to_integer<std::size_t>(sound[0]) * 512;
    // A quarter of them in each run, another one in the next; all with ROWFERRY_LONG.
    const bool all = std::getenv("ROWFERRY_LONG") != nullptr;
    std::size_t noticed = 0;
    for (std::size_t at = first + (all ? 0 : std::random_device{}() % 4); at < sound.size(); at += all ? 1 : 4) {
        Bytes broken = sound;
        broken[at] ^= static_cast<std::byte>(at / 4 % 2 == 0 ? 0xFF : 0x01);
        if (!decode_any_commit(broken)) ++noticed;
    }
    std::cout << noticed << " flips were errors, the others other rows" << std::endl;
    EXPECT_GT(noticed, 20U);
}

TEST(SqliteWalFuzzReplay, EveryByteOfEveryPageFlipped) {
    const Bytes sound = sample_commits().back();
    for (std::size_t at = 3; at + 512 <= sound.size(); at += 512 + (at >= 3 + std::to_integer<std::size_t>(sound[0]) * 512 ? 1 : 0)) {
        Bytes page{std::byte{0}};
        append(page, std::span{sound}.subspan(at, 512));
        for (std::size_t byte = 0; byte < page.size(); ++byte) {
            for (const int flip : {0x01, 0x80, 0xFF}) {
                page[byte] ^= static_cast<std::byte>(flip);
                decode_any_page(page);
                page[byte] ^= static_cast<std::byte>(flip);
            }
        }
    }
}

TEST(SqliteWalFuzzReplay, MutatedPagesDecodeOrThrow) {
    const char* given = std::getenv("SQLITE_WAL_FUZZ_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "repeat with SQLITE_WAL_FUZZ_SEED=" << seed << std::endl;
    std::mt19937_64 random{seed};
    std::vector<Bytes> seeds = sample_commits();
    for (Bytes& input : corpus("sqlite_commit")) seeds.push_back(std::move(input));
    std::size_t inputs = 0;
    std::size_t valid = 0;
    for (const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{1500}; std::chrono::steady_clock::now() < end; ++inputs) {
        Bytes bytes = seeds[random() % seeds.size()];
        for (std::size_t i = 1 + random() % 4; i > 0; --i) {
            const std::size_t at = random() % bytes.size();
            switch (random() % 4) {
                case 0: bytes[at] = static_cast<std::byte>(random()); break;
                case 1: bytes[at] ^= static_cast<std::byte>(1U << random() % 8); break;
                case 2: bytes[at] = static_cast<std::byte>(random() % 2 == 0 ? 0xFF : 0); break;
                default: {  // one page in the place of another
                    const std::size_t from = 3 + random() % (bytes.size() / 512) * 512;
                    const std::size_t to = 3 + random() % (bytes.size() / 512) * 512;
                    if (std::max(from, to) + 512 <= bytes.size()) std::copy_n(Bytes{bytes}.begin() + static_cast<std::ptrdiff_t>(from), 512, bytes.begin() + static_cast<std::ptrdiff_t>(to));
                }
            }
        }
        if (decode_any_commit(bytes)) ++valid;
    }
    std::cout << inputs << " inputs, " << valid << " of them valid" << std::endl;
    EXPECT_GT(inputs, 100U);
    EXPECT_GT(valid, inputs / 100) << "the mutations are too wild to get past the first check";
    EXPECT_LT(valid, inputs * 99 / 100) << "the mutations are too tame to break anything";
}

}  // namespace
}  // namespace rowferry::test
