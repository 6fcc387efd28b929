#include "cli/duration.h"

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using std::chrono::milliseconds;

TEST(Duration, EveryUnit) {
    EXPECT_EQ(parse_duration("500ms"), milliseconds{500});
    EXPECT_EQ(parse_duration("30s"), milliseconds{30'000});
    EXPECT_EQ(parse_duration("5m"), milliseconds{300'000});
    EXPECT_EQ(parse_duration("2h"), milliseconds{7'200'000});
    EXPECT_EQ(parse_duration("0"), milliseconds{0});
    EXPECT_EQ(parse_duration("0s"), milliseconds{0});
}

TEST(Duration, AnythingElseIsAnError) {
    for (const char* text : {"", "5", "-1s", "+1s", " 1s", "1 s", "1.5s", "s", "1d", "1h30m", "1S", "1ms ", "for ever", "99999999999999999999s"})
        EXPECT_THROW(static_cast<void>(parse_duration(text)), UsageError) << "\"" << text << "\"";
}

TEST(Duration, TenYearsIsTheMost) {
    EXPECT_EQ(parse_duration("87600h"), std::chrono::hours{87600});
    EXPECT_THROW(static_cast<void>(parse_duration("87601h")), UsageError);
    // Would wrap around in 64 bits of milliseconds and come out small.
    EXPECT_THROW(static_cast<void>(parse_duration("18446744073709551615h")), UsageError);
    EXPECT_THROW(static_cast<void>(parse_duration("5124095576030432h")), UsageError);
}

}  // namespace
}  // namespace rowferry
