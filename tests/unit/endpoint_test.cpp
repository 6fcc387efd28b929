#include "cli/endpoint.h"

#include <gtest/gtest.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

std::string refusal(std::string_view text) {
    try {
        static_cast<void>(parse_endpoint(text));
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

bool says(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

TEST(Endpoint, SqlitePathIsVerbatim) {
    for (const std::string path : {"app.db", "/srv/a b.db", "./x%20y?mode=ro#z", "\"quoted\"", "C:\\x", "ä.db", "-dash", "file:app.db", "./:memory:"}) {
        const Endpoint endpoint = parse_endpoint("sqlite:" + path);
        EXPECT_EQ(endpoint.engine, Engine::sqlite);
        EXPECT_EQ(endpoint.target, path);
    }
    EXPECT_EQ(parse_endpoint("sqlite:///x").target, "///x");
}

TEST(Endpoint, PostgresqlUriIsKeptWhole) {
    for (const std::string uri : {"postgresql://", "postgres://u@h:5433/d?sslmode=require", "postgresql:///shop?host=/run/postgresql", "postgresql://?service=shop"}) {
        const Endpoint endpoint = parse_endpoint(uri);
        EXPECT_EQ(endpoint.engine, Engine::postgresql);
        EXPECT_EQ(endpoint.target, uri);
    }
}

TEST(Endpoint, ReservedOnesSaySo) {
    EXPECT_TRUE(says(refusal("log:/var/changes"), "log: is reserved"));
    EXPECT_TRUE(says(refusal("nats://localhost"), "nats: is reserved"));
}

TEST(Endpoint, EverythingElseIsToldWhatIsAccepted) {
    for (const char* text : {"", "app.db", "mysql://h/d", "SQLITE:x", "postgres:/h/d", "postgresql:h", "host=h dbname=d", ":x", "sqlite", "/path/to/x.db"}) {
        const std::string message = refusal(text);
        EXPECT_TRUE(says(message, "postgresql://") && says(message, "sqlite:PATH")) << text << ": " << message;
    }
    EXPECT_TRUE(says(refusal("mysql://h/d"), "mysql:"));
    EXPECT_TRUE(says(refusal("postgres:/h/d"), "must be followed by //"));
    EXPECT_NE(refusal("sqlite:"), "accepted");
    EXPECT_NE(refusal("sqlite::memory:"), "accepted");
    EXPECT_NE(refusal(std::string_view{"sqlite:a\0b", 10}), "accepted");
    EXPECT_NE(refusal("postgresql://h/d?no_such_option=1"), "accepted");
}

TEST(Endpoint, NoPasswordInAnyMessage) {
    for (const char* text : {"mysql://u:hunter2@h/d", "postgres:/u:hunter2@h/d", "postgresql://u:hunter2@h/d?nope=1", "postgresql://u:hunter2@[h/d",
                             "host=h password=hunter2", "u:hunter2@h", "hunter2", "//u:hunter2@h", "Postgresql://u:hunter2@h"})
        EXPECT_FALSE(says(refusal(text), "hunter2")) << refusal(text);
    EXPECT_FALSE(says(describe(parse_endpoint("postgresql://u:hunter2@h:5433/d?sslpassword=hunter2")), "hunter2"));
    EXPECT_EQ(describe(parse_endpoint("postgresql://u:hunter2@h:5433/d")), "postgresql://h:5433/d");
}

TEST(Endpoint, NoticesPasswords) {
    EXPECT_TRUE(holds_password("postgresql://u:hunter2@h/d"));
    EXPECT_TRUE(holds_password("postgres://h/d?user=u&password=hunter2"));
    EXPECT_TRUE(holds_password("postgres://h/d?sslpassword=hunter2"));
    EXPECT_FALSE(holds_password("postgresql://u@h/d"));
    EXPECT_FALSE(holds_password("sqlite:u:hunter2@h"));
    EXPECT_FALSE(holds_password("--stream"));
}

}  // namespace
}  // namespace rowferry
