#include "cli/config_file.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

std::string refusal(std::string_view text) {
    try {
        static_cast<void>(parse_config(text, "shop.toml"));
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

bool says(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

/// A config file of its own for each test.
class ConfigFile : public testing::Test {
protected:
    ConfigFile() {
        char name[] = "/tmp/rowferry_config_XXXXXX";
        const int fd = ::mkstemp(name);
        ::close(fd);
        path_ = name;
    }
    ~ConfigFile() override { ::unlink(path_.c_str()); }

    void write(const std::string& text, mode_t mode) const {
        std::ofstream{path_} << text;
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
    }

    std::string path_;
};

TEST(Config, EveryTypeOfValue) {
    const SettingLayer layer = parse_config(
        "leader = \"sqlite:a.db\"\n"
        "table = [\"a\", 'b.\"C\"']\n"
        "schema = \"one\"\n"
        "exact-replace = true\n"
        "progress = false\n"
        "retry-for = \"30s\"\n",
        "shop.toml");
    EXPECT_EQ(layer.at("leader").values, std::vector<std::string>{"sqlite:a.db"});
    EXPECT_EQ(layer.at("table").values, (std::vector<std::string>{"a", "b.\"C\""}));
    EXPECT_EQ(layer.at("schema").values, std::vector<std::string>{"one"});
    EXPECT_EQ(layer.at("exact-replace").values, std::vector<std::string>{"true"});
    EXPECT_EQ(layer.at("progress").values, std::vector<std::string>{"false"});
    EXPECT_EQ(layer.at("retry-for").origin, "shop.toml:6: retry-for");
}

TEST(Config, UnknownKeysAreRefusedWithKeyAndLine) {
    EXPECT_TRUE(says(refusal("# first\n\nretry_for = \"30s\"\n"), "shop.toml:3: unknown key \"retry_for\""));
    EXPECT_TRUE(says(refusal("[leaders]\nx = 1\n"), "shop.toml:1: unknown key \"leaders\""));
    EXPECT_TRUE(says(refusal("a.b = 1\n"), "unknown key \"a\""));
}

TEST(Config, ReservedTablesSaySo) {
    EXPECT_TRUE(says(refusal("[[follower]]\nurl = \"x\"\n"), "shop.toml:1: [[follower]] is reserved"));
    EXPECT_TRUE(says(refusal("follower = [\"a\", \"b\"]\n"), "reserved"));
}

TEST(Config, WrongTypesAreRefusedWithTheirLine) {
    EXPECT_TRUE(says(refusal("\nstream = 7\n"), "shop.toml:2: stream must be a string"));
    EXPECT_TRUE(says(refusal("exact-replace = \"yes\"\n"), "shop.toml:1: exact-replace must be true or false"));
    EXPECT_TRUE(says(refusal("table = [1, 2]\n"), "shop.toml:1: table must be an array of strings"));
    EXPECT_TRUE(says(refusal("table = true\n"), "array of strings"));
    EXPECT_TRUE(says(refusal("retry-for = 30\n"), "must be a string"));
}

TEST(Config, WhatIsOneActionStaysOnTheCommandLine) {
    for (const char* text : {"all = true\n", "json = true\n", "config = \"other.toml\"\n"}) EXPECT_TRUE(says(refusal(text), "only be given on the command line")) << text;
}

TEST(Config, BrokenTomlNamesTheLineAndNothingElse) {
    const std::string message = refusal("stream = \"x\"\nleader = postgresql://u:hunter2@h/d\n");
    EXPECT_TRUE(says(message, "shop.toml:2:")) << message;
    EXPECT_FALSE(says(message, "hunter2")) << message;
    EXPECT_TRUE(says(refusal("stream = \"a\"\nstream = \"b\"\n"), "shop.toml:2:"));
}

TEST_F(ConfigFile, AMissingFileIsAnError) {
    EXPECT_THROW(static_cast<void>(read_config_file(path_ + ".missing")), UsageError);
    EXPECT_THROW(static_cast<void>(read_config_file("/tmp")), UsageError);
}

TEST_F(ConfigFile, APasswordWantsAPrivateFile) {
    for (const mode_t mode : {mode_t{0640}, mode_t{0604}, mode_t{0644}}) {
        write("leader = \"postgresql://u:hunter2@h/d\"\n", mode);
        try {
            static_cast<void>(read_config_file(path_));
            FAIL() << "accepted with mode " << std::oct << mode;
        } catch (const UsageError& error) {
            EXPECT_TRUE(says(error.what(), "chmod 600")) << error.what();
            EXPECT_FALSE(says(error.what(), "hunter2")) << error.what();
        }
    }
    write("leader = \"postgresql://u:hunter2@h/d\"\n", 0600);
    EXPECT_EQ(read_config_file(path_).size(), 1U);
    write("leader = \"postgresql://u@h/d\"\n", 0644);
    EXPECT_EQ(read_config_file(path_).size(), 1U);
}

}  // namespace
}  // namespace rowferry
