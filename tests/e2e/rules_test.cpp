// Subset and shape: columns, rows, names and masks, the same in the copy and in the stream.

#include <signal.h>

#include <filesystem>
#include <fstream>

#include "tests/support/stream_test.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

using Leftovers = std::vector<std::string>;

/// Every value of a one-column query, sorted, as the database itself prints it.
std::string all(const Database& database, const std::string& query) {
    if (database.is_postgresql()) return database.value("SELECT coalesce(string_agg(r, ';' ORDER BY r COLLATE \"C\"), '') FROM (" + query + ") AS q(r)");
    return database.value("SELECT coalesce(group_concat(r, ';'), '') FROM (SELECT r FROM (" + query + ") ORDER BY r)");
}

/// SHA-256 as PostgreSQL computes it.
std::string digest(const std::string& text) {
    return PgCluster::shared().value("postgres", "SELECT encode(sha256(convert_to('" + text + "', 'UTF8')), 'hex')");
}

std::string salt_file(const std::string& salt) {
    const std::filesystem::path path = new_temp_dir("salt") / "salt";
    std::ofstream{path} << salt << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path.string();
}

class RulesTest : public StreamTest, public ::testing::WithParamInterface<Direction> {
protected:
    Pair pair_ = make_pair_for(GetParam());
    const Database& leader_ = pair_.leader;
    const Database& follower_ = pair_.follower;
    std::vector<std::string> options_{"--columns", "orders=region,id,total,note", "--filter", "orders=region = 'EU' AND id > 0", "--rename-table", "orders=orders_eu",
                                      "--rename-column", "orders.note=remark", "--mask", "customers.email=sha256", "--mask", "customers.name=constant:nobody",
                                      "--mask", "customers.phone=truncate:3", "--mask", "customers.password=drop", "--salt-file", salt_file("pepper ")};

    void SetUp() override {
        leader_.exec(
            "CREATE TABLE orders (secret TEXT, region TEXT NOT NULL, id INTEGER NOT NULL, total NUMERIC, note TEXT, PRIMARY KEY (region, id));"
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, phone TEXT, password TEXT NOT NULL);"
            "INSERT INTO orders VALUES ('s', 'EU', 1, 10, 'one'), ('s', 'US', 2, 20, 'two'), (NULL, 'EU', 3, 30, NULL), ('s', 'EU', -4, 40, 'four');"
            "INSERT INTO customers VALUES (1, 'ann@example', 'Ann', '+49 123', 'x'), (2, 'bob@example', NULL, 'äöüß', 'y')");
    }

    /// The follower holds what the leader's own SQL says of the rules.
    void expect_subset() {
        EXPECT_EQ(all(follower_, "SELECT region || '|' || id || '|' || total || '|' || coalesce(remark, 'NULL') AS r FROM orders_eu"),
                  all(leader_, "SELECT region || '|' || id || '|' || total || '|' || coalesce(note, 'NULL') AS r FROM orders WHERE region = 'EU' AND id > 0"));
        EXPECT_EQ(all(follower_, "SELECT id || '|' || coalesce(name, 'NULL') || '|' || coalesce(phone, 'NULL') AS r FROM customers"),
                  all(leader_, "SELECT id || '|' || CASE WHEN name IS NULL THEN 'NULL' ELSE 'nobody' END || '|' || coalesce(substr(phone, 1, 3), 'NULL') AS r FROM customers"));
        std::string digests;
        const std::string emails = all(leader_, "SELECT id || '|' || email AS r FROM customers");
        for (std::size_t start = 0; start < emails.size();) {
            const std::size_t end = std::min(emails.find(';', start), emails.size());
            const std::size_t bar = emails.find('|', start);
            digests += (digests.empty() ? "" : ";") + emails.substr(start, bar + 1 - start) + digest("pepper " + emails.substr(bar + 1, end - bar - 1));
            start = end + 1;
        }
        EXPECT_EQ(all(follower_, "SELECT id || '|' || email AS r FROM customers"), digests);
    }

    [[nodiscard]] std::string columns_of(const std::string& table) const {
        if (follower_.is_postgresql())
            return follower_.value("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '" + table + "'::regclass AND attnum > 0");
        return follower_.value("SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid)");
    }

    [[nodiscard]] testing::AssertionResult refused(const std::vector<std::string>& options, std::string_view reason) const {
        const auto result = ended(run_until_current(leader_, follower_, options), 3, reason);
        if (!result) return result;
        if (leftovers(leader_) != Leftovers{}) return testing::AssertionFailure() << leftovers(leader_).front() << " was left on the leader";
        if (leftovers(follower_) != Leftovers{}) return testing::AssertionFailure() << leftovers(follower_).front() << " was left on the follower";
        return testing::AssertionSuccess();
    }
};

TEST_P(RulesTest, SnapshotAndStreamCarryTheSameSubsetInTheSameShape) {
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options_), 0));
    EXPECT_EQ(columns_of("orders_eu"), "region,id,total,remark");
    EXPECT_EQ(columns_of("customers"), "id,email,name,phone");
    expect_subset();

    const auto process = start_run(leader_, follower_, options_);
    leader_.exec("INSERT INTO orders VALUES ('s', 'EU', 5, 50, 'five'), ('s', 'US', 6, 60, 'six')");
    leader_.exec("UPDATE orders SET region = 'EU' WHERE id = 2");            // comes in
    leader_.exec("UPDATE orders SET region = 'US' WHERE id = 1");            // goes out
    leader_.exec("UPDATE orders SET id = 33, note = 'new key' WHERE id = 3");  // another key, still in
    leader_.exec("UPDATE orders SET secret = 'changed', total = 7 WHERE id IN (5, 6)");
    leader_.exec("UPDATE orders SET id = 44 WHERE id = -4");                 // comes in
    leader_.exec("DELETE FROM orders WHERE id = 6");                         // was never in
    leader_.exec("INSERT INTO customers VALUES (3, 'eve@example', 'Eve', 'x', 'z')");
    leader_.exec("UPDATE customers SET email = 'robert@example', phone = NULL, name = 'Robert' WHERE id = 2");
    leader_.exec("UPDATE customers SET password = 'other' WHERE id = 1");
    leader_.exec("DELETE FROM customers WHERE id = 3");
    leader_.exec("INSERT INTO orders VALUES ('s', 'EU', 99, 99, 'last')");
    ASSERT_TRUE(shows(*process, follower_, "SELECT remark FROM orders_eu WHERE id = 99", "last"));
    expect_subset();
    process->kill(SIGTERM);
    ASSERT_TRUE(ended(*process, 0));

    leader_.exec(leader_.is_postgresql() ? "TRUNCATE orders" : "DELETE FROM orders");
    leader_.exec("INSERT INTO orders VALUES ('s', 'EU', 1, 1, 'after'), ('s', 'US', 1, 1, 'after')");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options_), 0));
    expect_subset();
    EXPECT_EQ(follower_.value("SELECT count(*) FROM orders_eu"), "1");
}

TEST_P(RulesTest, ACloneHasTheSameShape) {
    ASSERT_TRUE(ended(rowferry(command("clone", leader_, follower_, options_)), 0));
    EXPECT_EQ(columns_of("orders_eu"), "region,id,total,remark");
    expect_subset();
    EXPECT_EQ(leftovers(leader_), Leftovers{});
}

TEST_P(RulesTest, TheConfigFileSaysTheSame) {
    const std::filesystem::path path = new_temp_dir("config") / "rules.toml";
    std::ofstream{path} << "tables = ['orders']\n[table.orders]\nexclude-columns = ['secret', 'total']\nfilter = \"region = 'EU'\"\nrename = 'eu'\n"
                           "[table.orders.column.note]\nrename = 'remark'\nmask = 'truncate'\nlength = 2\n";
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, {"--config", path.string()}), 0));
    EXPECT_EQ(columns_of("eu"), "region,id,remark");
    EXPECT_EQ(all(follower_, "SELECT id || '|' || coalesce(remark, 'NULL') AS r FROM eu"),
              all(leader_, "SELECT id || '|' || coalesce(substr(note, 1, 2), 'NULL') AS r FROM orders WHERE region = 'EU'"));
}

TEST_P(RulesTest, TypesAreWhatTheRulesAskFor) {
    leader_.exec("CREATE TABLE events (id INTEGER PRIMARY KEY, created BIGINT, price NUMERIC); INSERT INTO events VALUES (1, 1767225600500, 1.5)");
    std::vector<std::string> options{"--table", "events", "--type"};
    if (follower_.is_postgresql())
        options.insert(options.end(), {leader_.is_postgresql() ? "events.created=numeric" : "events.created=timestamptz:epoch-ms", "--type", "events.price=double precision"});
    else
        options.push_back("events.price=REAL");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    leader_.exec("UPDATE events SET price = 2.5; INSERT INTO events VALUES (2, 1767225601000, 0.25)");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    if (follower_.is_postgresql()) {
        EXPECT_EQ(follower_.value("SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 1"),
                  leader_.is_postgresql() ? "numeric,double precision" : "timestamp with time zone,double precision");
        EXPECT_EQ(follower_.value(leader_.is_postgresql() ? "SELECT created FROM events WHERE id = 1" : "SELECT extract(epoch FROM created) FROM events WHERE id = 1"),
                  leader_.is_postgresql() ? "1767225600500" : "1767225600.500000");
    } else {
        EXPECT_EQ(follower_.value("SELECT group_concat(DISTINCT typeof(price)) FROM events"), "real");
    }
    EXPECT_EQ(all(follower_, "SELECT id || '|' || price AS r FROM events"), "1|2.5;2|0.25");
}

TEST_P(RulesTest, AStartWithOtherRulesIsRefusedAndNamesThem) {
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options_), 0));
    std::vector<std::string> other = options_;
    other[3] = "orders=region = 'US'";
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, other), 3, "it was started with [table orders filter region = 'EU' AND id > 0], now there is [table orders filter region = 'US']"));
    EXPECT_TRUE(ended(run_until_current(leader_, follower_), 3, "has other rules"));
    other = options_;
    other.back() = salt_file("salt");
    const RowferryResult salted = run_until_current(leader_, follower_, other);
    EXPECT_TRUE(ended(salted, 3, "salt"));
    EXPECT_EQ(salted.err.find("pepper"), std::string::npos);
    // How to treat what does not fit may change: that is how a stream gets past such a value.
    other = options_;
    other.insert(other.end(), {"--on-mismatch", "quarantine"});
    EXPECT_TRUE(leader_.is_postgresql() ? ended(run_until_current(leader_, follower_, other), 3, "on-mismatch other than stop is for SQLite leaders")
                                        : ended(run_until_current(leader_, follower_, other), 0));
}

TEST_P(RulesTest, WhatCannotBeKeptIsRefusedBeforeTheFirstWrite) {
    EXPECT_TRUE(refused({"--filter", "orders=note = 'one'"}, "the filter reads column note, which is not part of the"));
    EXPECT_TRUE(refused({"--filter", "orders=regoin = 'EU'"}, "regoin"));
    EXPECT_TRUE(refused({"--filter", "orders=id IN (SELECT id FROM customers)"}, "filter"));
    EXPECT_TRUE(refused({"--filter", "orders=random() > 0"}, "filter"));
    EXPECT_TRUE(refused({"--columns", "orders=region,total"}, "column id is part of the key"));
    EXPECT_TRUE(refused({"--columns", "orders=region,id,nope"}, "has no column nope"));
    EXPECT_TRUE(refused({"--columns", "nobody=id"}, "matches none of the replicated tables"));
    EXPECT_TRUE(refused({"--mask", "customers.email=sha256"}, "needs a salt"));
    EXPECT_TRUE(refused({"--mask", "customers.email=constant:x"}, "part of a key"));
    EXPECT_TRUE(refused({"--mask", "orders.total=constant:ten"}, "not a number"));
    EXPECT_TRUE(refused({"--mask", "orders.region=drop"}, "column region is part of the key"));
    EXPECT_TRUE(refused({"--rename-table", "orders=customers"}, "customers"));
    EXPECT_TRUE(refused({"--rename-column", "orders.note=total"}, "another column has that name"));
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, {"--columns", "orders=id", "--exclude-columns", "orders=note"}), 2, "exclude each other"));
}

INSTANTIATE_TEST_SUITE_P(All, RulesTest, ::testing::ValuesIn(kDirections), [](const auto& info) { return to_string(info.param); });

/// What only a PostgreSQL leader has.
class PgRulesTest : public StreamTest {
protected:
    Pair pair_ = make_pair_for(Direction::pg_to_sqlite);
    const Database& leader_ = pair_.leader;
    const Database& follower_ = pair_.follower;

    void SetUp() override { leader_.exec("CREATE TABLE t (id int PRIMARY KEY, v text, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL"); }
};

TEST_F(PgRulesTest, ReplicaIdentityFullTakesAnyFilterButNoColumnList) {
    leader_.exec("ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'in', repeat('x', 10000)), (2, 'out', repeat('y', 10000))");
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, {"--columns", "t=id,v"}), 3, "REPLICA IDENTITY FULL"));
    EXPECT_EQ(leftovers(leader_), Leftovers{});
    const std::vector<std::string> options{"--filter", "t=v = 'in'"};
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    // Its large value did not change, so only the old row has it.
    leader_.exec("UPDATE t SET v = 'in' WHERE id = 2; UPDATE t SET v = 'out' WHERE id = 1; UPDATE t SET v = v");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    EXPECT_EQ(all(follower_, "SELECT id || v || length(big) AS r FROM t"), "2in10000");
}

TEST_F(PgRulesTest, ARowThatComesIntoTheFilterWithoutItsLargeValueStopsTheStream) {
    leader_.exec("INSERT INTO t VALUES (1, 'a', repeat('x', 10000)), (-2, 'b', repeat('y', 10000))");
    const std::vector<std::string> options{"--filter", "t=id > 0"};
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    leader_.exec("UPDATE t SET id = 2 WHERE id = -2");
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, options), 7, "an update brought the row into the filter"));
    EXPECT_EQ(follower_.value("SELECT count(*) FROM t"), "1");
}

TEST_F(PgRulesTest, AnAlteredPublicationOrReplicaIdentityIsNoticed) {
    const std::vector<std::string> options{"--filter", "t=id > 0", "--columns", "t=id,v"};
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    leader_.exec("ALTER TABLE t REPLICA IDENTITY FULL");
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, options), 7, "the publication lists columns"));
    leader_.exec("ALTER TABLE t REPLICA IDENTITY DEFAULT; INSERT INTO t VALUES (1, 'a', 'b'); UPDATE t SET v = 'c'");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    EXPECT_EQ(all(follower_, "SELECT id || v AS r FROM t"), "1c");
    leader_.exec("ALTER PUBLICATION rowferry_default SET TABLE t (id, v) WHERE (id > 5)");
    EXPECT_TRUE(ended(run_until_current(leader_, follower_, options), 7, "publication rowferry_default"));
}

TEST_F(PgRulesTest, KeylessTablesThatAreOnlyInsertedIntoTakeAnyRule) {
    leader_.exec("CREATE TABLE log (at int, what text, who text); INSERT INTO log VALUES (1, 'a', 'x'), (2, 'b', 'y')");
    const std::vector<std::string> options{"--table", "log", "--keyless", "insert", "--filter", "log=what <> 'a'", "--columns", "log=at,what"};
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    leader_.exec("INSERT INTO log VALUES (3, 'a', 'x'), (4, 'c', 'y')");
    ASSERT_TRUE(ended(run_until_current(leader_, follower_, options), 0));
    EXPECT_EQ(all(follower_, "SELECT at || what AS r FROM log"), "2b;4c");
}

TEST_F(PgRulesTest, ARuleForAPartitionedTableIsOneForItsPartitions) {
    leader_.exec(
        "CREATE TABLE m (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);"
        "CREATE TABLE m_eu PARTITION OF m FOR VALUES IN ('EU'); CREATE TABLE m_us PARTITION OF m FOR VALUES IN ('US');"
        "INSERT INTO m VALUES ('EU', 1, 'a'), ('US', 2, 'b'), ('EU', -3, 'c')");
    for (const char* partitions : {"leaf", "root"}) {
        const Database follower = Database::sqlite();
        const std::vector<std::string> options{"--table", "m", "--filter", "m=id > 0", "--stream", partitions, "--partitions", partitions};
        ASSERT_TRUE(ended(run_until_current(leader_, follower, options), 0));
        leader_.exec("UPDATE m SET id = 3 WHERE id = -3");
        ASSERT_TRUE(ended(run_until_current(leader_, follower, options), 0));
        const bool leaf = std::string{partitions} == "leaf";
        EXPECT_EQ(all(follower, leaf ? "SELECT id || v AS r FROM m_eu UNION ALL SELECT id || v FROM m_us" : "SELECT id || v AS r FROM m"), "1a;2b;3c");
        leader_.exec("UPDATE m SET id = -3 WHERE id = 3");
    }
}

}  // namespace
}  // namespace rowferry::test
