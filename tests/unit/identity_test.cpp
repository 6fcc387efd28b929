#include "schemas/identity.h"

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

TEST(Identity, TextFormRoundTrips) {
    const LeaderIdentity identities[] = {
        {Engine::postgresql, "7303123456789012345", 1, "shop"},
        {Engine::postgresql, "7303123456789012345", 4294967295U, "a:b:c \"x\""},  // a database's name may hold colons
        {Engine::postgresql, "1", 2, ""},
        {Engine::sqlite, "6f1e", 0, ""},
        {Engine::sqlite, "", 0, ""},  // a leader that was never used
    };
    for (const LeaderIdentity& identity : identities) EXPECT_EQ(parse_identity(to_string(identity)), identity) << to_string(identity);
    EXPECT_EQ(to_string(identities[0]), "postgresql:7303123456789012345:1:shop");
    EXPECT_EQ(to_string(identities[3]), "sqlite:6f1e");
}

TEST(Identity, WhatCannotBeReadIsHalt) {
    for (const char* text : {"", "mysql:1", "postgresql:", "postgresql:1", "postgresql:1:2", "postgresql:1:x:db", "postgresql:1:-1:db",
                             "postgresql:1::db", "postgresql:1:4294967296:db", "Sqlite:1"})
        EXPECT_THROW(static_cast<void>(parse_identity(text)), HaltError) << text;
}

TEST(Identity, ALaterTimelineIsTheSameSystem) {
    const LeaderIdentity leader{Engine::postgresql, "7", 1, "shop"};
    EXPECT_TRUE(leader.same_system({Engine::postgresql, "7", 2, "shop"}));
    EXPECT_FALSE(leader.same_system({Engine::postgresql, "8", 1, "shop"}));
    EXPECT_FALSE(leader.same_system({Engine::postgresql, "7", 1, "stock"}));
    EXPECT_FALSE(leader.same_system({Engine::sqlite, "7", 1, "shop"}));
    EXPECT_NE(leader, (LeaderIdentity{Engine::postgresql, "7", 2, "shop"}));
}

TEST(CaptureMethod, TextFormRoundTrips) {
    for (const auto method : {CaptureMethod::logical, CaptureMethod::triggers, CaptureMethod::statements})
        EXPECT_EQ(parse_capture_method(to_string(method)), method);
    EXPECT_THROW(static_cast<void>(parse_capture_method("wal")), HaltError);
    EXPECT_THROW(static_cast<void>(parse_capture_method("")), HaltError);
}

}  // namespace
}  // namespace rowferry
