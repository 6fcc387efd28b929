// A short fuzz of the log parsers in every test run: pieces of recorded logs, mutated, about a second and a half of them. The seed is printed; PG_LOG_FUZZ_SEED=<seed> repeats
// a run, as the n-th input depends on the seed alone.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

#include <gtest/gtest.h>

#include "decoder/pg_log/log_files.h"
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/pg_log_oracle.h"

namespace rowferry::test {
namespace {

using Random = std::mt19937_64;

const std::vector<std::string> kPieces{"\n",         "\t",         "\"",       "\"\"",     ",",          "'",      "$$",     ";",       "LOG:  ",     "ERROR:  ",  "STATEMENT:  ", "DETAIL:  ",  "statement: ",
                                       "execute <unnamed>: ", "duration: 0.1 ms", "  ",  "BEGIN;", "COMMIT;", "ROLLBACK", "idle", "3/0", "[5-2] ", "#011", "\\u0000", "{\"", "99999999999999999999", "/*", "parameters: $1 = '", "\xFF\x00"};

void mutate(std::string& text, Random& random) {
    const auto place = [&] { return random() % (text.size() + 1); };
    const auto line = [&] {
        const std::size_t from = text.rfind('\n', place());
        return from == std::string::npos ? 0 : from + 1;
    };
    switch (random() % 7) {
        case 0:
            if (!text.empty()) text[random() % text.size()] = static_cast<char>(random());
            break;
        case 1: text.insert(place(), kPieces[random() % kPieces.size()]); break;
        case 2: text.erase(place(), random() % 20); break;
        case 3: text.resize(place()); break;
        case 4: {  // a line is lost
            const std::size_t from = line();
            text.erase(from, text.find('\n', from) - from + 1);
            break;
        }
        case 5: {  // a line comes twice, elsewhere
            const std::size_t from = line();
            const std::string copy = text.substr(from, text.find('\n', from) - from + 1);
            text.insert(line(), copy);
            break;
        }
        default:
            if (!text.empty()) text[random() % text.size()] ^= static_cast<char>(1U << (random() % 8));
    }
}

TEST(PgLogFuzzReplay, TheCorpusIsReadOrStops) {
    const std::vector<std::pair<LogFormat, std::string>> formats{
        {LogFormat::stderr_lines, "stderr_lines"}, {LogFormat::csv, "csv"}, {LogFormat::json, "json"}, {LogFormat::syslog, "syslog"}};
    for (const auto& [format, name] : formats) {
        const std::vector<std::string> logs = fuzz_corpus("pg_log_" + name);
        EXPECT_GE(logs.size(), 6U) << name;
        EXPECT_TRUE(std::ranges::any_of(logs, [&](const std::string& log) { return read_any_log(format, log); })) << name;
    }
}

TEST(PgLogFuzzReplay, AnyLogIsReadOrStops) {
    const char* given = std::getenv("PG_LOG_FUZZ_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "repeat with PG_LOG_FUZZ_SEED=" << seed << std::endl;
    const std::vector<std::pair<LogFormat, std::string>> formats{
        {LogFormat::stderr_lines, "stderr.log"}, {LogFormat::csv, "csvlog.csv"}, {LogFormat::json, "jsonlog.json"}, {LogFormat::syslog, "syslog.log"}};
    std::vector<std::pair<LogFormat, std::string>> seeds;
    for (const auto& [format, file] : formats) {
        for (const std::string mode : {"all", "duration", "both"}) {
            const std::string text = LogFiles::head(std::string{ROWFERRY_SOURCE_DIR} + "/tests/unit/pg_logs/" + mode + "/" + file + ".gz", 1UL << 20);
            for (std::size_t from = 0; from < text.size();) {
                const std::size_t end = std::min(text.find('\n', from + 4000), text.size() - 1);
                seeds.emplace_back(format, text.substr(from, end + 1 - from));
                from = end + 1;
            }
        }
    }
    Random random{seed};
    std::uint64_t inputs = 0, whole = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{1500};
    while (inputs % 64 != 0 || std::chrono::steady_clock::now() < end) {
        auto [format, text] = seeds[random() % seeds.size()];
        for (auto i = random() % 3; i > 0; --i) mutate(text, random);
        if (read_any_log(format, std::move(text))) ++whole;
        ++inputs;
    }
    std::cout << inputs << " inputs, " << whole << " of them read to their end" << std::endl;
    EXPECT_GT(inputs, 200U);
    EXPECT_GT(whole, inputs / 100) << "the mutations are too wild";
    EXPECT_LT(whole, inputs * 95 / 100) << "the mutations are too tame";
}

}  // namespace
}  // namespace rowferry::test
