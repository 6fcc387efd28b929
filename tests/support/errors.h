#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry::test {

/// What an action throws; ErrorKind::usage and "no error" when nothing.
template <typename Action>
std::pair<ErrorKind, std::string> error_of(const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        return {error.kind(), error.what()};
    }
    return {ErrorKind::usage, "no error"};
}

}  // namespace rowferry::test

/// The action throws an error of this kind whose text has `text` in it.
#define EXPECT_ERROR(error_kind, action, text)                               \
    do {                                                                     \
        const auto [kind, what] = rowferry::test::error_of([&] { action; }); \
        EXPECT_EQ(kind, rowferry::ErrorKind::error_kind) << what;            \
        EXPECT_NE(what.find(text), std::string::npos) << what;               \
    } while (false)
#define EXPECT_HALT(action, text) EXPECT_ERROR(halted, action, text)
#define EXPECT_REFUSED(action, text) EXPECT_ERROR(refused, action, text)
