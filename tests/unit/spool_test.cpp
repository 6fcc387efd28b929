#include "decoder/pgoutput/spool.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "decoder/pgoutput/copy_data.h"
#include "schemas/error.h"
#include "tests/support/temp_dir.h"

namespace rowferry {
namespace {

using pgoutput::as_bytes;
using Messages = std::vector<std::string>;

Messages read_all(SpooledTransaction& transaction) {
    Messages messages;
    while (const auto message = transaction.next()) messages.emplace_back(reinterpret_cast<const char*>(message->data()), message->size());
    return messages;
}

class SpoolTest : public ::testing::TestWithParam<std::size_t> {
protected:
    std::filesystem::path dir_ = test::new_temp_dir("spool");
    Spool spool_{dir_, GetParam()};

    void append(std::uint32_t xid, std::uint32_t subxid, const std::string& message) { spool_.append(xid, subxid, as_bytes(message)); }
    Messages take(std::uint32_t xid) { return read_all(*spool_.take(xid)); }
};

TEST_P(SpoolTest, GivesBackWhatCameInTheOrderItCame) {
    spool_.begin(7, true);
    append(7, 7, "one");
    spool_.begin(9, true);
    append(9, 9, "another");
    spool_.begin(7, false);
    append(7, 8, "two");
    append(7, 7, std::string(1'000'000, 'x'));
    append(7, 7, "three");
    EXPECT_EQ(take(7), (Messages{"one", "two", std::string(1'000'000, 'x'), "three"}));
    EXPECT_EQ(take(9), Messages{"another"});
    EXPECT_EQ(spool_.open_transactions(), 0U);
}

TEST_P(SpoolTest, ATransactionWithNothingInItIsOne) {
    spool_.begin(7, true);
    EXPECT_EQ(take(7), Messages{});
}

TEST_P(SpoolTest, AnAbortedSubtransactionTakesItsOwnAndThoseInsideIt) {
    spool_.begin(10, true);
    append(10, 10, "a");
    append(10, 11, "b");   // SAVEPOINT 11
    append(10, 12, "c");   // SAVEPOINT 12 inside it
    append(10, 11, "d");   // 12 was released
    ASSERT_TRUE(spool_.abort(10, 12));  // ROLLBACK TO 11: the leader names the inner one first
    ASSERT_TRUE(spool_.abort(10, 11));
    append(10, 13, "e");
    append(10, 10, "f");
    EXPECT_EQ(take(10), (Messages{"a", "e", "f"}));
}

TEST_P(SpoolTest, ASubtransactionWhoseFirstChangeComesAfterThoseOfTheOneInsideIt) {
    spool_.begin(10, true);
    append(10, 12, "inner");
    append(10, 11, "outer");
    ASSERT_TRUE(spool_.abort(10, 12));
    ASSERT_TRUE(spool_.abort(10, 11));
    append(10, 10, "kept");
    append(10, 14, "too");
    ASSERT_TRUE(spool_.abort(10, 14));
    append(10, 15, "last");
    EXPECT_EQ(take(10), (Messages{"kept", "last"}));
}

/// The leader writes the number of the whole transaction into logical messages, whatever subtransaction they were made in.
TEST_P(SpoolTest, AMessageWithoutANumberOfItsOwnGoesWithWhatIsAroundIt) {
    const auto message = [&](const std::string& text) { spool_.append_unattributed(10, as_bytes(text)); };
    spool_.begin(10, true);
    message("a");
    append(10, 10, "b");
    append(10, 11, "c");
    message("d");
    append(10, 11, "e");
    ASSERT_TRUE(spool_.abort(10, 11));  // d came between two changes of 11
    append(10, 12, "f");
    message("g");
    append(10, 10, "h");
    ASSERT_TRUE(spool_.abort(10, 13)) << "h stays, so that g is not 13's";
    message("i");
    append(10, 14, "j");
    EXPECT_FALSE(spool_.abort(10, 14)) << "i may have been made in 14, before its first change";
    append(10, 10, "k");
    EXPECT_TRUE(spool_.abort(10, 15));
    EXPECT_EQ(take(10), (Messages{"a", "b", "f", "g", "h", "i", "k"}));
}

TEST_P(SpoolTest, NumbersOfTransactionsGoRoundACircle) {
    spool_.begin(0xFFFFFFFE, true);
    append(0xFFFFFFFE, 0xFFFFFFFE, "a");
    append(0xFFFFFFFE, 0xFFFFFFFF, "b");
    append(0xFFFFFFFE, 3, "c");
    append(0xFFFFFFFE, 4, "d");
    ASSERT_TRUE(spool_.abort(0xFFFFFFFE, 4));
    EXPECT_EQ(take(0xFFFFFFFE), (Messages{"a", "b", "c"}));
}

TEST_P(SpoolTest, AnAbortedTransactionIsForgotten) {
    spool_.begin(7, true);
    append(7, 7, std::string(300'000, 'x'));
    ASSERT_TRUE(spool_.abort(7, 7));
    EXPECT_THROW(spool_.take(7), DecodeError);
    spool_.begin(7, true);
    append(7, 7, "again");
    EXPECT_EQ(take(7), Messages{"again"});
}

TEST_P(SpoolTest, WhatDoesNotBelongTogetherIsAnError) {
    EXPECT_THROW(spool_.begin(7, false), DecodeError);
    EXPECT_THROW(append(7, 7, "x"), DecodeError);
    EXPECT_THROW(static_cast<void>(spool_.abort(7, 8)), DecodeError);
    spool_.begin(7, true);
    EXPECT_THROW(spool_.begin(7, true), DecodeError);
}

/// Transactions with savepoints, some of them rolled back, side by side, against the plainest way to keep them: message by message in memory.
TEST_P(SpoolTest, RandomHistories) {
    const unsigned seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    struct Entry {
        std::uint32_t xid;
        std::string message;
    };
    struct Open {
        std::vector<std::uint32_t> stack;              // the open subtransactions, outermost first
        std::map<std::uint32_t, std::uint32_t> parents;
        std::vector<Entry> kept;
    };
    std::map<std::uint32_t, Open> open;
    std::uint32_t next_xid = 0xFFFFFF00;  // past the end of the circle on the way
    const auto new_xid = [&] {
        if (++next_xid < 3) next_xid = 3;
        return next_xid;
    };
    for (int step = 0; step < 20'000; ++step) {
        if (open.empty() || (open.size() < 4 && below(50) == 0)) {
            const std::uint32_t xid = new_xid();
            open[xid].stack = {xid};
            spool_.begin(xid, true);
        }
        auto entry = std::next(open.begin(), below(static_cast<std::uint32_t>(open.size())));
        const std::uint32_t xid = entry->first;
        Open& transaction = entry->second;
        const std::uint32_t what = below(100);
        if (what < 80) {
            const std::string message(1 + below(what == 0 ? 100'000 : 300), static_cast<char>('a' + below(26)));
            transaction.kept.push_back({transaction.stack.back(), message});
            append(xid, transaction.stack.back(), message);
        } else if (what < 90) {
            const std::uint32_t inner = new_xid();
            transaction.parents[inner] = transaction.stack.back();
            transaction.stack.push_back(inner);
        } else if (what < 94 && transaction.stack.size() > 1) {
            transaction.stack.pop_back();  // RELEASE
        } else if (what < 98 && transaction.stack.size() > 1) {
            const std::uint32_t gone = transaction.stack.back();
            transaction.stack.pop_back();
            const auto within = [&](std::uint32_t sub) {
                while (sub != gone && transaction.parents.contains(sub)) sub = transaction.parents[sub];
                return sub == gone;
            };
            std::vector<std::uint32_t> aborted;
            for (const auto& [sub, parent] : transaction.parents)
                if (sub != gone && within(sub)) aborted.push_back(sub);
            aborted.push_back(gone);
            for (const std::uint32_t sub : aborted) ASSERT_TRUE(spool_.abort(xid, sub));
            std::erase_if(transaction.kept, [&](const Entry& e) { return within(e.xid); });
        } else if (what >= 98) {
            if (below(3) == 0) {
                ASSERT_TRUE(spool_.abort(xid, xid));
            } else {
                Messages expected;
                for (const Entry& e : transaction.kept) expected.push_back(e.message);
                ASSERT_EQ(take(xid), expected);
            }
            open.erase(entry);
        }
    }
}

TEST_P(SpoolTest, LeavesNoFileBehind) {
    spool_.begin(7, true);
    for (int i = 0; i < 100; ++i) append(7, 7, std::string(10'000, 'x'));
    EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

INSTANTIATE_TEST_SUITE_P(Budgets, SpoolTest, ::testing::Values(0, 100'000, 16 * 1024 * 1024));

TEST(SpoolDirectory, OneThatTakesNoFileIsNamedWithTheWayOut) {
    try {
        Spool{"/nowhere/at/all", 0};
        FAIL() << "no error";
    } catch (const HaltError& error) {
        EXPECT_EQ(std::string{error.what()},
                  "spool directory /nowhere/at/all: cannot make a file (0 bytes are in it): No such file or directory. Make room, or give another "
                  "directory with --spool DIR");
    }
}

/// What this process may write to a file, for as long as it lives.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        rlimit now = before_;
        now.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

private:
    rlimit before_{};
};

TEST(SpoolDirectory, AWriteThatFailsIsSaidWithDirectoryAndSize) {
    const auto dir = test::new_temp_dir("spool");
    ScratchFile file{dir};
    const FileSizeLimit limit{100'000};
    try {
        for (int i = 0; i < 100; ++i) file.append(std::string(10'000, 'x'));
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(std::string{error.what()}, "spool directory " + dir.string() +
                                                 ": cannot write (100000 bytes are in it): File too large. Make room, or give another directory with --spool DIR");
        EXPECT_EQ(error.kind(), ErrorKind::retryable);
    }
}

}  // namespace
}  // namespace rowferry
