#include "cli/exit_code.h"

#include <new>

#include <gtest/gtest.h>

#include "db/pg_error.h"
#include "db/sqlite.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

int code(const std::exception& error) { return static_cast<int>(exit_code(error)); }

TEST(ExitCode, EachKindHasItsOwn) {
    EXPECT_EQ(code(RetryableError{"lost"}), 1);
    EXPECT_EQ(code(UsageError{"typo"}), 2);
    EXPECT_EQ(code(RefusedError{"not empty"}), 3);
    EXPECT_EQ(code(InterruptedError{"signal"}), 6);
    EXPECT_EQ(code(HaltError{"gap"}), 7);
    EXPECT_EQ(code(DecodeError{"short message"}), 7);
    EXPECT_EQ(code(ValueError{"too long"}), 7);
}

TEST(ExitCode, DatabaseErrorsGoByTheirKind) {
    EXPECT_EQ(code(PgError{"", "the connection broke"}), 1);
    EXPECT_EQ(code(PgError{"57P01", "admin shutdown"}), 1);
    EXPECT_EQ(code(PgError{"23505", "duplicate key"}), 7);
    EXPECT_EQ(code(SqliteError{SQLITE_BUSY, "busy"}), 1);
    EXPECT_EQ(code(SqliteError{SQLITE_CORRUPT, "corrupt"}), 7);
}

TEST(ExitCode, WhatNobodyExpectedMayBeRetried) {
    EXPECT_EQ(code(std::runtime_error{"surprise"}), 1);
    EXPECT_EQ(code(std::bad_alloc{}), 1);
}

TEST(ExitCode, DoneIsZeroAndFourAndFiveStayFree) {
    EXPECT_EQ(static_cast<int>(ExitCode::done), 0);
    for (const ErrorKind kind : {ErrorKind::retryable, ErrorKind::usage, ErrorKind::refused, ErrorKind::interrupted, ErrorKind::halted}) {
        const int value = static_cast<int>(exit_code(kind));
        EXPECT_NE(value, 0);
        EXPECT_NE(value, 4);
        EXPECT_NE(value, 5);
    }
}

}  // namespace
}  // namespace rowferry
