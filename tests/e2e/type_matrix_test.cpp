// Every type with its edge values through every direction and back, half of the values in the snapshot and half in the stream. The databases
// themselves are the judges. The table in docs/types.md is what passed: ROWFERRY_WRITE_DOCS=1 writes it, otherwise it has to be the same.

#include <bit>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/e2e/type_matrix_cases.h"
#include "tests/support/process.h"
#include "tests/support/stream_test.h"

namespace rowferry::test {
namespace {

constexpr const char* kSettings = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET lc_monetary = 'C'";

std::string table_name(std::size_t number) { return fmt::format("t{:02}", number); }

/// The values of table `name` in the order of their keys: what PostgreSQL's output function prints, and with `cast` that to text behind it.
std::vector<std::string> pg_values(const Database& database, const std::string& name, bool cast = true) {
    PgConnection connection{database.uri()};
    connection.exec(kSettings);
    std::vector<std::string> values;
    for (const PgRow& row : connection.query(fmt::format("SELECT id, v, {} FROM {} ORDER BY id", cast ? "v::text" : "''", name)))
        values.push_back(fmt::format("{}: {} / {}", *row[0], row[1].value_or("NULL (no value)"), row[2].value_or("NULL (no value)")));
    return values;
}

struct Shown {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(std::int64_t v) const { return fmt::format("i:{}", v); }
    std::string operator()(double v) const { return fmt::format("r:{:016x}", std::bit_cast<std::uint64_t>(v)); }
    std::string operator()(const std::string& v) const { return "t:" + v; }
    std::string operator()(const SqliteBlob& v) const {
        std::string hex = "b:";
        for (const char c : v.bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
        return hex;
    }
};

/// The values of table `name` by storage class and bits.
std::vector<std::string> sqlite_values(const Database& database, const std::string& name) {
    SqliteDb db{database.path()};
    std::vector<std::string> values;
    for (const SqliteRow& row : db.query(fmt::format("SELECT id, v FROM {} ORDER BY id", name)))
        values.push_back(std::visit(Shown{}, row[0]) + " " + std::visit(Shown{}, row[1]));
    return values;
}

/// What SQLite has to hold of a PostgreSQL table, in the form of sqlite_values(), as PostgreSQL itself says it.
std::vector<std::string> expected_in_sqlite(const Database& database, const std::string& name, Form form) {
    const char* expression = "";
    switch (form) {
        case Form::integer: expression = "v::bigint"; break;
        case Form::boolean: expression = "v::int"; break;
        case Form::real: expression = "CASE WHEN v::float8 = 'NaN' THEN 'NaN' ELSE encode(float8send(v::float8), 'hex') END"; break;
        case Form::bytes: expression = "encode(v, 'hex')"; break;
        case Form::text: expression = "v"; break;
    }
    PgConnection connection{database.uri()};
    connection.exec(kSettings);
    std::vector<std::string> values;
    for (const PgRow& row : connection.query(fmt::format("SELECT id, {} FROM {} ORDER BY id", expression, name))) {
        std::string value = "null";
        if (row[1]) {
            const char* tag = form == Form::integer || form == Form::boolean ? "i:" : form == Form::bytes ? "b:" : form == Form::real && *row[1] != "NaN" ? "r:" : "t:";
            value = tag + *row[1];
        }
        values.push_back(fmt::format("i:{} {}", *row[0], value));
    }
    return values;
}

std::string declared_type(const Database& database, const std::string& name) {
    if (!database.is_postgresql()) {
        const std::string type = database.value(fmt::format("SELECT type FROM pragma_table_info('{}') WHERE name = 'v'", name));
        return type.empty() ? "no type" : fmt::format("`{}`", type);
    }
    return fmt::format("`{}`", database.value(fmt::format("SET search_path = ''; SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'public.{}'::regclass "
                                                          "AND attname = 'v'", name)));
}

/// Are two lists of values the same? Long values are cut in the message.
testing::AssertionResult same_values(const std::vector<std::string>& expected, const std::vector<std::string>& actual, const std::string& what) {
    if (expected == actual && !expected.empty()) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << what << ": " << expected.size() << " values expected, " << actual.size() << " found";
    for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i)
        if (expected[i] != actual[i]) failure << "\n  expected " << expected[i].substr(0, 200) << "\n  found    " << actual[i].substr(0, 200);
    return failure;
}

/// The table in docs/types.md, one row per type and direction.
class Document {
public:
    void add(const std::string& type, const std::string& direction, const std::string& follower, const std::string& edges) {
        rows_ += fmt::format("| {} | {} | {} | NULL, {} |\n", type, direction, follower, edges);
    }
    void compare(const std::string& part) const {
        const std::filesystem::path path = std::filesystem::path{ROWFERRY_SOURCE_DIR} / "docs/types.md";
        const std::string begin = fmt::format("<!-- {} by tests/e2e/type_matrix_test.cpp -->\n", part);
        const std::string end = fmt::format("<!-- end of {} -->\n", part);
        std::string text = read_file(path);
        const std::size_t from = text.find(begin);
        const std::size_t to = text.find(end);
        if (testing::Test::HasFailure()) return;  // only what passed is written
        ASSERT_TRUE(from != std::string::npos && to != std::string::npos) << "docs/types.md has no place for the table: " << begin;
        const std::string table = "\n| type | direction | follower's column | values that came through |\n|---|---|---|---|\n" + rows_ + "\n";
        const std::string there = text.substr(from + begin.size(), to - from - begin.size());
        if (std::getenv("ROWFERRY_WRITE_DOCS") != nullptr) {
            text.replace(from + begin.size(), to - from - begin.size(), table);
            std::ofstream{path} << text;
        } else {
            EXPECT_TRUE(there == table) << "docs/types.md is not what the tests found; ROWFERRY_WRITE_DOCS=1 writes it anew. Found:\n" << table;
        }
    }

private:
    std::string rows_;
};

class TypeMatrixTest : public StreamTest {
protected:
    static RowferryResult attempt(const std::string& stream, const Database& leader, const Database& follower, std::vector<std::string> options = {}) {
        options.insert(options.end(), {"--stream", stream});
        return run_until_current(leader, follower, options);
    }
    static void run(const std::string& stream, const Database& leader, const Database& follower, const std::vector<std::string>& options = {}) {
        ASSERT_TRUE(ended(attempt(stream, leader, follower, options), 0)) << stream;
    }
};

void insert(const Database& database, const std::string& table, int first, const std::vector<std::string>& values) {
    std::string sql;
    for (const std::string& value : values) sql += fmt::format("{}({}, {})", sql.empty() ? "" : ", ", first++, value);
    if (!sql.empty()) database.exec(fmt::format("INSERT INTO {} VALUES {}", table, sql));
}

/// In the stream: a value becomes another one, a value becomes NULL, NULL becomes a value.
void change(const Database& database, const std::string& table, int first_of_stream) {
    database.exec(fmt::format("UPDATE {0} SET v = (SELECT v FROM {0} WHERE id = {1}) WHERE id IN (0, 1); UPDATE {0} SET v = NULL WHERE id = 2", table, first_of_stream));
}

TEST_F(TypeMatrixTest, Postgresql) {
    const Database leader = Database::postgresql(PgCluster::shared(), "matrix");
    const Database same = Database::postgresql(PgCluster::shared(), "matrix_same");
    const Database sqlite = Database::sqlite("matrix");
    const Database back = Database::postgresql(PgCluster::shared(), "matrix_back");
    for (const Database* database : {&leader, &same}) database->exec(kPgTypes);
    const std::vector<PgTypeCase>& cases = pg_type_cases();
    const auto half = [](const PgTypeCase& c) { return static_cast<std::ptrdiff_t>((c.values.size() + 1) / 2); };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        leader.exec(fmt::format("CREATE TABLE {} (id int PRIMARY KEY, v {}); INSERT INTO {} VALUES (0, NULL)", table_name(i), cases[i].type, table_name(i)));
        insert(leader, table_name(i), 1, {cases[i].values.begin(), cases[i].values.begin() + half(cases[i])});
    }
    // A label that the enum gets while the stream runs; between PostgreSQL databases that is a change of the follower's type.
    leader.exec("CREATE TABLE growing (id int PRIMARY KEY, v mood); INSERT INTO growing VALUES (1, 'ok')");
    const std::vector<std::string> with_ddl{"--ddl", "apply"};

    ASSERT_NO_FATAL_FAILURE(run("to_same", leader, same, with_ddl));
    ASSERT_NO_FATAL_FAILURE(run("to_sqlite", leader, sqlite));
    ASSERT_NO_FATAL_FAILURE(run("back", sqlite, back));
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const int next = static_cast<int>(half(cases[i])) + 1;
        insert(leader, table_name(i), next, {cases[i].values.begin() + half(cases[i]), cases[i].values.end()});
        leader.exec(fmt::format("INSERT INTO {} VALUES (100, NULL)", table_name(i)));
        change(leader, table_name(i), next);
        // Rows with every value as they were, which the changes above have written over.
        insert(leader, table_name(i), 200, cases[i].values);
    }
    leader.exec("ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok'");
    leader.exec("INSERT INTO growing VALUES (2, 'new')");
    ASSERT_NO_FATAL_FAILURE(run("to_same", leader, same, with_ddl));
    ASSERT_NO_FATAL_FAILURE(run("to_sqlite", leader, sqlite));
    ASSERT_NO_FATAL_FAILURE(run("back", sqlite, back));

    EXPECT_TRUE(same_values(pg_values(leader, "growing"), pg_values(same, "growing"), "a label added in the stream"));
    EXPECT_TRUE(same_values(pg_values(leader, "growing"), pg_values(back, "growing"), "a label added in the stream, through SQLite"));
    Document document;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::string name = table_name(i);
        const std::string type = fmt::format("`{}`", cases[i].type);
        const bool cast = cases[i].type != "inet";  // the cast adds the mask that the output function leaves out
        const std::vector<std::string> expected = pg_values(leader, name, cast);
        const std::string in_sqlite = declared_type(sqlite, name);
        EXPECT_TRUE(same_values(expected, pg_values(same, name, cast), type + " PostgreSQL → PostgreSQL"));
        EXPECT_TRUE(same_values(expected_in_sqlite(leader, name, cases[i].form), sqlite_values(sqlite, name), type + " PostgreSQL → SQLite"));
        EXPECT_TRUE(same_values(expected, pg_values(back, name, cast), type + " PostgreSQL → SQLite → PostgreSQL"));
        EXPECT_EQ(declared_type(same, name), declared_type(leader, name));
        document.add(type, "PostgreSQL → PostgreSQL", declared_type(leader, name), cases[i].edges);
        document.add(type, "PostgreSQL → SQLite", in_sqlite, cases[i].edges);
        document.add(type, "… → PostgreSQL", declared_type(back, name), cases[i].edges);
    }
    document.compare("types of PostgreSQL");
}

TEST_F(TypeMatrixTest, Sqlite) {
    const Database leader = Database::sqlite("matrix");
    const Database same = Database::sqlite("matrix_same");
    const Database postgresql = Database::postgresql(PgCluster::shared(), "matrix");
    const Database second = Database::postgresql(PgCluster::shared(), "matrix_second");
    const Database back = Database::sqlite("matrix_back");
    const std::vector<SqliteTypeCase>& cases = sqlite_type_cases();
    leader.exec("PRAGMA journal_mode = wal");
    for (std::size_t i = 0; i < cases.size(); ++i) {
        leader.exec(fmt::format("CREATE TABLE {} (id INTEGER PRIMARY KEY, v {}){}; INSERT INTO {} VALUES (0, NULL)", table_name(i), cases[i].declared,
                                cases[i].strict ? " STRICT" : "", table_name(i)));
        insert(leader, table_name(i), 1, cases[i].before);
    }
    const auto everywhere = [&] {
        run("to_same", leader, same);
        run("to_postgresql", leader, postgresql);
        run("to_second", postgresql, second);
        run("back", postgresql, back);
    };
    ASSERT_NO_FATAL_FAILURE(everywhere());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const int next = static_cast<int>(cases[i].before.size()) + 1;
        insert(leader, table_name(i), next, cases[i].after);
        leader.exec(fmt::format("INSERT INTO {} VALUES (100, NULL)", table_name(i)));
        change(leader, table_name(i), next);
        insert(leader, table_name(i), 200, cases[i].before);
    }
    ASSERT_NO_FATAL_FAILURE(everywhere());

    Document document;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::string name = table_name(i);
        const std::string type = cases[i].declared.empty() ? "no type" : fmt::format("`{}`", cases[i].declared);
        const std::vector<std::string> expected = sqlite_values(leader, name);
        EXPECT_TRUE(same_values(expected, sqlite_values(same, name), type + " SQLite → SQLite, " + cases[i].edges));
        EXPECT_TRUE(same_values(expected, sqlite_values(back, name), type + " SQLite → PostgreSQL → SQLite, " + cases[i].edges));
        EXPECT_TRUE(same_values(pg_values(postgresql, name), pg_values(second, name), type + " from PostgreSQL to another one, " + cases[i].edges));
        document.add(type, "SQLite → SQLite", declared_type(same, name), cases[i].edges);
        document.add(type, "SQLite → PostgreSQL", declared_type(postgresql, name), cases[i].edges);
        document.add(type, "… → SQLite", declared_type(back, name), cases[i].edges);
    }
    document.compare("types of SQLite");
}

/// SQLite holds 1 and 1.0, 0 and -0.0 equal, and texts by the column's collation; the tagged texts on PostgreSQL differ. What REPLACE removes on
/// the leader has to go on the follower all the same.
TEST_F(TypeMatrixTest, KeysOfSeveralStorageClasses) {
    const Database leader = Database::sqlite("keys");
    const Database follower = Database::postgresql(PgCluster::shared(), "keys");
    const Database back = Database::sqlite("keys_back");
    leader.exec("PRAGMA journal_mode = wal; CREATE TABLE k (key PRIMARY KEY NOT NULL, v TEXT);"
                "INSERT INTO k VALUES (1, 'one'), ('1', 'text'), (x'31', 'blob'), (0.5, 'half'), (0, 'zero'), (9007199254740992, 'large'), (1e300, 'huge');"
                "CREATE TABLE u (id INTEGER PRIMARY KEY, code COLLATE NOCASE UNIQUE); INSERT INTO u VALUES (1, 'Ann'), (2, 5), (3, NULL), (4, NULL), (5, x'416E6E')");
    const auto everywhere = [&] {
        run("to_postgresql", leader, follower);
        run("back", follower, back);
    };
    const auto all_equal = [&] {
        EXPECT_TRUE(same_rows(leader, follower));
        EXPECT_TRUE(same_rows(leader, back));
    };
    ASSERT_NO_FATAL_FAILURE(everywhere());
    all_equal();
    EXPECT_EQ(follower.value("SELECT v FROM k WHERE key = 'i:1'"), "one");

    leader.exec("REPLACE INTO k VALUES (1.0, 'one as a real'), (0.0 * -1, 'minus zero'), (9007199254740992.0, 'large as a real')");
    leader.exec("UPDATE k SET v = 'changed' WHERE key = 0.5; DELETE FROM k WHERE key = x'31'; UPDATE k SET key = 'i:1' WHERE key = '1'");
    leader.exec("REPLACE INTO u VALUES (6, 'ANN'), (7, 5.0)");
    leader.exec("INSERT INTO u SELECT 100 + value, 'text ' || value FROM json_each('[1,2,3,4,5,6,7,8,9]')");
    ASSERT_NO_FATAL_FAILURE(everywhere());
    all_equal();
    EXPECT_EQ(follower.value("SELECT string_agg(key, ' ' ORDER BY key COLLATE \"C\") FROM k"), "r:-0 r:0.5 r:1 r:1e+300 r:9007199254740992 t:i:1");
    EXPECT_EQ(follower.value("SELECT count(*) FROM u WHERE id IN (1, 2)"), "0");

    // The follower's own uniqueness is the leader's.
    EXPECT_FALSE(PgConnection{follower.uri()}.try_exec("INSERT INTO k VALUES ('i:1', 'twice')"));
    EXPECT_FALSE(PgConnection{follower.uri()}.try_exec("INSERT INTO u VALUES (200, 't:aNN')"));
}

class AskedTypesTest : public TypeMatrixTest {};

/// Numbers that stand for times, and types that lose what the rules allow them to lose; both engines' own functions are the judges.
TEST_F(AskedTypesTest, FromSqliteToPostgresql) {
    const Database leader = Database::sqlite("asked");
    const Database follower = Database::postgresql(PgCluster::shared(), "asked");
    const std::string row = "unixepoch({0}), unixepoch({0}) * 1000 + 7, unixepoch({0}) * 1000000.0, julianday({0}), unixepoch(date({0})), {0}, '1.50', 0.1, 3.0";
    const auto values = [&](int id, const std::string& time) { return fmt::format("({}, {})", id, fmt::format(fmt::runtime(row), "'" + time + "'")); };
    leader.exec("PRAGMA journal_mode = wal; CREATE TABLE e (id INTEGER PRIMARY KEY, s INTEGER, ms INTEGER, us NUMERIC, j REAL, d INTEGER, iso DATETIME, n TEXT, f REAL, i REAL);"
                "INSERT INTO e VALUES " + values(1, "2024-02-29T12:34:56") + ", " + values(2, "1969-12-31T23:59:59"));
    std::vector<std::string> options;
    for (const char* rule : {"s=timestamp with time zone:epoch-s", "ms=timestamp(3) without time zone:epoch-ms", "us=timestamp with time zone:epoch-us",
                             "j=timestamp without time zone:julian-day", "d=date:epoch-s", "iso=timestamp with time zone", "n=numeric(10,1)", "f=real", "i=smallint"})
        options.insert(options.end(), {"--type", std::string{"main.e."} + rule});
    ASSERT_NO_FATAL_FAILURE(run("asked", leader, follower, options));
    leader.exec("INSERT INTO e VALUES " + values(3, "0001-01-01T00:00:00") + ", " + values(4, "9999-12-31T23:59:59"));
    ASSERT_NO_FATAL_FAILURE(run("asked", leader, follower, options));
    SqliteDb times{leader.path()};
    PgConnection found{follower.uri()};
    found.exec(kSettings);
    for (const SqliteRow& time : times.query("SELECT id, replace(iso, 'T', ' '), date(iso) FROM e")) {
        const std::string clock = std::get<std::string>(time[1]);
        const std::string sql = fmt::format("SELECT s, ms, us, j, d, iso, n, f, i FROM e WHERE id = {}", std::get<std::int64_t>(time[0]));
        const PgRow expected{clock + "+00", clock + ".007", clock + "+00", clock, std::get<std::string>(time[2]), clock + "+00", "1.5", "0.1", "3"};
        EXPECT_EQ(found.query(sql).at(0), expected) << clock;
    }
    leader.exec("INSERT INTO e (id, us) VALUES (4711, 0.5)");
    EXPECT_TRUE(ended(attempt("asked", leader, follower, options), 7, "4711"));

    leader.exec("CREATE TABLE b (id INTEGER PRIMARY KEY, v BLOB); INSERT INTO b VALUES (1, x'00')");
    EXPECT_TRUE(ended(attempt("refused", leader, follower, {"--table", "b", "--type", "main.b.v=date"}), 3, "main.b.v"));
    EXPECT_TRUE(ended(attempt("refused", leader, follower, {"--table", "b", "--type", "main.b.v=no_such_type"}), 3, "no_such_type"));
}

TEST_F(AskedTypesTest, FromPostgresql) {
    const Database leader = Database::postgresql(PgCluster::shared(), "asked");
    const Database sqlite = Database::sqlite("asked");
    const Database follower = Database::postgresql(PgCluster::shared(), "asked_same");
    leader.exec("CREATE TABLE e (id int PRIMARY KEY, n numeric, m numeric(10,2), z timestamptz, d date, ms bigint);"
                "INSERT INTO e VALUES (1, '0.1000000000000000055511151231257827', 20.00, '2024-02-29 12:34:56.789Z', '2024-02-29', 1709210096789)");
    const auto options = [](std::initializer_list<const char*> rules) {
        std::vector<std::string> all;
        for (const char* rule : rules) all.insert(all.end(), {"--type", std::string{"public.e."} + rule});
        return all;
    };
    const auto to_sqlite = options({"n=REAL", "m=DECIMAL(10,2)", "z=INTEGER:epoch-ms", "d=REAL:julian-day"});
    const auto to_same = options({"n=double precision", "z=bigint:epoch-ms", "ms=timestamp with time zone:epoch-ms"});
    ASSERT_NO_FATAL_FAILURE(run("to_sqlite", leader, sqlite, to_sqlite));
    ASSERT_NO_FATAL_FAILURE(run("to_same", leader, follower, to_same));
    leader.exec("INSERT INTO e VALUES (2, 'NaN', 19.99, '1969-12-31 23:59:59.999Z', '1969-12-31', -1); UPDATE e SET n = 0.5 WHERE id = 1");
    ASSERT_NO_FATAL_FAILURE(run("to_sqlite", leader, sqlite, to_sqlite));
    ASSERT_NO_FATAL_FAILURE(run("to_same", leader, follower, to_same));
    EXPECT_EQ(sqlite.value("SELECT group_concat(typeof(n) || ' ' || n || ' ' || typeof(m) || ' ' || m || ' ' || typeof(z) || ' ' || strftime('%Y-%m-%d %H:%M:%f', z / 1000.0, 'unixepoch') "
                           "|| ' ' || typeof(d) || ' ' || datetime(d), ' | ') FROM e"),
              "real 0.5 integer 20 integer 2024-02-29 12:34:56.789 real 2024-02-29 00:00:00 | text NaN real 19.99 integer 1969-12-31 23:59:59.999 real 1969-12-31 00:00:00");
    EXPECT_EQ(follower.value("SET timezone = 'UTC'; SELECT string_agg(n || ' ' || z || ' ' || ms, ' | ' ORDER BY id) FROM e"),
              "0.5 1709210096789 2024-02-29 12:34:56.789+00 | NaN -1 1969-12-31 23:59:59.999+00");
    leader.exec("INSERT INTO e VALUES (4711, 1, 1, '2024-02-29 12:34:56.7895Z', NULL, NULL)");
    EXPECT_TRUE(ended(attempt("to_sqlite", leader, sqlite, to_sqlite), 7, "4711"));
}

}  // namespace
}  // namespace rowferry::test
