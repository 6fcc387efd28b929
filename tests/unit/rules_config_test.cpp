// Rules for tables, in a config file and on the command line.

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config_file.h"
#include "cli/environment.h"
#include "cli/rule_options.h"
#include "schemas/error.h"

namespace rowferry {
namespace {

SettingLayer flags(const std::vector<std::pair<std::string, std::string>>& given) {
    SettingLayer layer;
    for (const auto& [name, value] : given) {
        SettingValue& setting = layer.try_emplace(name).first->second;
        setting.origin = "--" + name;
        setting.values.push_back(value);
    }
    return layer;
}

template <typename Action>
std::string refusal(Action action) {
    try {
        action();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

std::string config_refusal(const std::string& text) {
    return refusal([&] { (void)resolve_rules(parse_config(text, "shop.toml")); });
}
std::string flag_refusal(const std::vector<std::pair<std::string, std::string>>& given) {
    return refusal([&] { (void)resolve_rules(flags(given)); });
}

TableSchema table(const std::string& schema, const std::string& name) {
    TableSchema result;
    result.name = {schema, name};
    return result;
}

constexpr const char* kConfig = R"(
tables = ["public.orders", "public.customers"]
on-mismatch = "quarantine"

[types]
numeric = "real"

[table."public.orders"]
columns = ["id", "customer_id", "total"]
filter = "region = 'EU'"
rename = "sales.orders_eu"
on-mismatch = "stop"
[table."public.orders".column.total]
type = "real"

[table."public.customers"]
exclude-columns = ["notes"]
[table."public.customers".column.email]
mask = "sha256"
rename = "email_digest"
[table."public.customers".column.phone]
mask = "truncate"
length = 3
[table."public.customers".column.name]
mask = "constant"
value = "nobody"
[table.events.column.created]
type = "timestamptz"
encoding = "epoch-ms"
on-mismatch = "null"
)";

TEST(RulesConfig, EverySectionIsRead) {
    const SettingLayer layer = parse_config(kConfig, "shop.toml");
    EXPECT_EQ(layer.at("table").values, (std::vector<std::string>{"public.orders", "public.customers"}));
    const TableRules rules = resolve_rules(layer);
    EXPECT_EQ(rules.on_mismatch, OnMismatch::quarantine);
    ASSERT_EQ(rules.types.size(), 1U);
    EXPECT_EQ(rules.types[0].type, "real");

    const RulesOfTable orders = rules.of(table("public", "orders"));
    EXPECT_EQ(orders.columns, (std::vector<std::string>{"id", "customer_id", "total"}));
    EXPECT_EQ(orders.filter, "region = 'EU'");
    EXPECT_EQ(orders.rename, "sales.orders_eu");
    EXPECT_EQ(orders.on_mismatch, OnMismatch::stop);
    EXPECT_EQ(orders.column(Engine::postgresql, "total")->type, "real");

    const RulesOfTable customers = rules.of(table("public", "customers"));
    EXPECT_EQ(customers.on_mismatch, OnMismatch::quarantine);
    EXPECT_EQ(customers.excluded_columns, std::vector<std::string>{"notes"});
    EXPECT_EQ(customers.column(Engine::postgresql, "email")->mask.kind, Mask::Kind::sha256);
    EXPECT_EQ(customers.column(Engine::postgresql, "email")->rename, "email_digest");
    EXPECT_EQ(customers.column(Engine::postgresql, "phone")->mask.length, 3U);
    EXPECT_EQ(customers.column(Engine::postgresql, "name")->mask.text, "nobody");
    EXPECT_EQ(customers.column(Engine::postgresql, "Email"), nullptr);
    EXPECT_NE(customers.column(Engine::sqlite, "Email"), nullptr);

    const RulesOfTable events = rules.of(table("log", "events"));
    EXPECT_EQ(events.column(Engine::postgresql, "created")->encoding, TimeEncoding::epoch_ms);
    EXPECT_EQ(events.column(Engine::postgresql, "created")->on_mismatch, OnMismatch::null_value);
}

TEST(RulesConfig, MistakesAreNamedWithFileAndLine) {
    EXPECT_NE(config_refusal("\n[table.t]\ncolums = [\"a\"]\n").find("shop.toml:3: table.t.colums: unknown key; known are column, columns"), std::string::npos)
        << config_refusal("\n[table.t]\ncolums = [\"a\"]\n");
    EXPECT_NE(config_refusal("[table.t]\ncolumns = \"a\"\n").find("array of column names"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t]\ncolumns = []\n").find("array of column names"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t]\nfilter = \" \"\n").find("must not be empty"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t]\ncolumns = [\"a\"]\nexclude-columns = [\"b\"]\n").find("exclude each other"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t]\nrename = \"a.b.c\"\n").find("[schema.]table"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t]\non-mismatch = \"ignore\"\n").find("stop, quarantine, null"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t.column.a]\nmask = \"md5\"\n").find("drop, constant, sha256, truncate"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t.column.a]\nmask = \"constant\"\n").find("belong together"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t.column.a]\nmask = \"sha256\"\nlength = 3\n").find("belong together"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t.column.a]\nmask = \"truncate\"\nlength = 0\n").find("number of characters"), std::string::npos);
    EXPECT_NE(config_refusal("[table.t.column.a]\nencoding = \"epoch\"\n").find("epoch-s, epoch-ms"), std::string::npos);
    EXPECT_NE(config_refusal("[table.\"a.b.c\"]\nfilter = \"1\"\n").find("shop.toml:1: table.a.b.c"), std::string::npos);
    EXPECT_NE(config_refusal("[types]\nnumeric = 1\n").find("shop.toml:2: types.numeric: must be a string"), std::string::npos);
    EXPECT_NE(config_refusal("[table]\nt = \"x\"\n").find("must be a table"), std::string::npos);
    EXPECT_NE(config_refusal("tables = [\"a\"]\ntable = [\"b\"]\n").find("mean the same"), std::string::npos);
    EXPECT_NE(config_refusal("mask-salt = \"x\"\n").find("only be given in the environment"), std::string::npos);
}

TEST(RulesConfig, OptionsSayTheSame) {
    SettingLayer given = flags({{"columns", "public.orders=id,\"a,b\", total"},
                                {"filter", "public.orders=region = 'EU' AND note <> '\"'"},
                                {"rename-table", "public.orders=sales.orders_eu"},
                                {"rename-column", "public.orders.total=sum"},
                                {"type", "public.orders.total=real"},
                                {"type", "events.created=timestamptz:epoch-ms"},
                                {"mask", "customers.email=sha256"},
                                {"mask", "customers.name=constant:a:b=c"},
                                {"mask", "customers.phone=truncate:3"},
                                {"on-mismatch", "quarantine"},
                                {"on-mismatch", "public.orders=stop"},
                                {"on-mismatch", "*.customers.email=null"}});
    const TableRules rules = resolve_rules(given);
    const RulesOfTable orders = rules.of(table("public", "orders"));
    EXPECT_EQ(orders.columns, (std::vector<std::string>{"id", "a,b", "total"}));
    EXPECT_EQ(orders.filter, "region = 'EU' AND note <> '\"'");
    EXPECT_EQ(orders.rename, "sales.orders_eu");
    EXPECT_EQ(orders.column(Engine::postgresql, "total")->rename, "sum");
    EXPECT_EQ(orders.column(Engine::postgresql, "total")->type, "real");
    EXPECT_EQ(orders.on_mismatch, OnMismatch::stop);
    const RulesOfTable customers = rules.of(table("public", "customers"));
    EXPECT_EQ(customers.column(Engine::postgresql, "name")->mask.text, "a:b=c");
    EXPECT_EQ(customers.column(Engine::postgresql, "phone")->mask.length, 3U);
    EXPECT_EQ(customers.column(Engine::postgresql, "email")->on_mismatch, OnMismatch::null_value);
    EXPECT_EQ(customers.on_mismatch, OnMismatch::quarantine);
    EXPECT_EQ(rules.of(table("x", "events")).column(Engine::postgresql, "created")->encoding, TimeEncoding::epoch_ms);
}

TEST(RulesConfig, MistakesInOptionsNameTheOption) {
    EXPECT_EQ(flag_refusal({{"columns", "orders"}}).rfind("--columns: \"orders\": expected TABLE=COLUMN,COLUMN", 0), 0U) << flag_refusal({{"columns", "orders"}});
    EXPECT_NE(flag_refusal({{"columns", "=a"}}).find("expected"), std::string::npos);
    EXPECT_NE(flag_refusal({{"columns", "t=a,,b"}}).find("a name is empty"), std::string::npos);
    EXPECT_NE(flag_refusal({{"columns", "t=a"}, {"exclude-columns", "t=b"}}).find("exclude each other"), std::string::npos);
    EXPECT_NE(flag_refusal({{"filter", "t=a"}, {"filter", "t=b"}}).find("given twice"), std::string::npos);
    EXPECT_NE(flag_refusal({{"filter", "t= "}}).find("is empty"), std::string::npos);
    EXPECT_NE(flag_refusal({{"mask", "t=sha256"}}).find("expected TABLE.COLUMN"), std::string::npos);
    EXPECT_NE(flag_refusal({{"mask", "t.c=truncate"}}).find("truncate:8"), std::string::npos);
    EXPECT_NE(flag_refusal({{"mask", "t.c=sha256:x"}}).find("takes no value"), std::string::npos);
    EXPECT_NE(flag_refusal({{"type", "t.c=timestamptz:epoch"}}).find("epoch-s"), std::string::npos);
    EXPECT_NE(flag_refusal({{"on-mismatch", "t=maybe"}}).find("stop, quarantine, null"), std::string::npos);
}

TEST(RulesConfig, WhatTheCommandLineSaysGoesBeforeTheFile) {
    SettingLayer file = parse_config("[table.orders]\nfilter = \"a\"\ncolumns = [\"x\"]\n", "shop.toml");
    const TableRules rules = resolve_rules(merge(flags({{"filter", "orders=b"}}), {}, std::move(file)));
    const RulesOfTable orders = rules.of(table("public", "orders"));
    EXPECT_EQ(orders.filter, "b");
    EXPECT_EQ(orders.columns, std::vector<std::string>{"x"});
}

TEST(RulesConfig, TheSaltComesFromTheEnvironmentOrAPrivateFile) {
    const Environment environment = read_environment({"ROWFERRY_MASK_SALT=pepper"});
    EXPECT_TRUE(environment.unknown.empty());
    EXPECT_EQ(resolve_rules(environment.settings).salt, "pepper");

    char path[] = "/tmp/rowferry_salt_XXXXXX";
    ::close(::mkstemp(path));
    std::ofstream{path} << "sea\n";
    EXPECT_EQ(resolve_rules(flags({{"salt-file", path}})).salt, "sea");
    EXPECT_NE(refusal([&] { (void)resolve_rules(merge(flags({{"salt-file", path}}), environment.settings, {})); }).find("one of the two"), std::string::npos);
    ::chmod(path, 0644);
    EXPECT_NE(flag_refusal({{"salt-file", path}}).find("chmod 600"), std::string::npos);
    ::chmod(path, 0600);
    std::ofstream{path, std::ios::trunc} << "\n";
    EXPECT_NE(flag_refusal({{"salt-file", path}}).find("is empty"), std::string::npos);
    ::unlink(path);
    EXPECT_NE(flag_refusal({{"salt-file", path}}).find("No such file"), std::string::npos);
}

TEST(RulesConfig, CanonicalTextNamesEveryRuleButNoSecret) {
    SettingLayer layer = parse_config(kConfig, "shop.toml");
    layer["mask-salt"] = {{"pepper"}, "ROWFERRY_MASK_SALT"};
    const TableRules rules = resolve_rules(layer);
    const std::string text = rules.canonical();
    for (const char* part : {"filter region = 'EU'", "columns \"id\", \"customer_id\", \"total\"", "rename sales.orders_eu", "column \"email\" mask sha256",
                             "column \"name\" mask constant 'nobody'", "column \"phone\" mask truncate 3", "type timestamptz from epoch-ms", "type numeric is real",
                             "exclude-columns \"notes\""})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
    EXPECT_EQ(text.find("pepper"), std::string::npos);
    EXPECT_EQ(text.find("quarantine"), std::string::npos) << "on_mismatch may change from start to start";
    TableRules other = rules;
    other.salt = "salt";
    EXPECT_NE(other.canonical(), text);
    other = rules;
    other.rules[0].filter = "region = 'US'";
    const std::string difference = describe_difference(text, other.canonical());
    EXPECT_NE(difference.find("filter region = 'EU'"), std::string::npos) << difference;
    EXPECT_NE(difference.find("filter region = 'US'"), std::string::npos) << difference;
    EXPECT_EQ(difference.find("email"), std::string::npos) << difference;
}

}  // namespace
}  // namespace rowferry
