// What `tail` prints, change by change: values that a reader of JSON or SQL must get exactly, transactions that are whole or not printed, and an
// output that nobody takes.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "schemas/error.h"
#include "tail/json_value.h"
#include "tail/sql_literal.h"
#include "tail/tail_printer.h"
#include "tests/support/random.h"
#include "tests/support/sqlite_db.h"
#include "tests/support/temp_dir.h"
#include "tests/support/writer.h"
#include "tests/unit/batch_builder.h"

namespace rowferry::test {
namespace {

std::string json_of(const Cell& cell, Engine engine = Engine::sqlite, ValueClass type = ValueClass::any) {
    ColumnSchema column;
    column.value_class = type;
    std::string out;
    append_json_value(cell, column, engine, out);
    return out;
}

std::string pg_json(std::string_view text, ValueClass type) { return json_of(Cell::text(text), Engine::postgresql, type); }

std::string sql_of(const Cell& cell, Engine engine = Engine::sqlite, ValueClass type = ValueClass::any) {
    ColumnSchema column;
    column.value_class = type;
    std::string out;
    append_sql_literal(cell, column, engine, out);
    return out;
}

TEST(JsonValue, IntegersThatADoubleCannotHoldAreTexts) {
    EXPECT_EQ(json_of(Cell::integer(-7)), "-7");
    EXPECT_EQ(json_of(Cell::integer(9007199254740991)), "9007199254740991");
    EXPECT_EQ(json_of(Cell::integer(9007199254740992)), R"({"integer":"9007199254740992"})");
    EXPECT_EQ(json_of(Cell::integer(std::numeric_limits<std::int64_t>::min())), R"({"integer":"-9223372036854775808"})");
    EXPECT_EQ(pg_json("9223372036854775807", ValueClass::integer), R"({"integer":"9223372036854775807"})");
}

TEST(JsonValue, RealsAreToldFromIntegers) {
    EXPECT_EQ(json_of(Cell::real(0.1)), "0.1");
    EXPECT_EQ(json_of(Cell::real(1)), R"({"real":"1"})");
    EXPECT_EQ(json_of(Cell::real(-0.0)), R"({"real":"-0"})");
    EXPECT_EQ(json_of(Cell::real(1e300)), R"({"real":"1e+300"})");
    EXPECT_EQ(json_of(Cell::real(5e-324)), "5e-324");
    EXPECT_EQ(json_of(Cell::real(-HUGE_VAL)), R"({"real":"-Infinity"})");
    EXPECT_EQ(pg_json("NaN", ValueClass::real), R"({"real":"NaN"})");
    EXPECT_EQ(pg_json("-Infinity", ValueClass::real), R"({"real":"-Infinity"})");
    EXPECT_EQ(pg_json("7", ValueClass::real), R"({"real":"7"})");
    EXPECT_EQ(pg_json("1e-05", ValueClass::real), "1e-05");
}

TEST(JsonValue, PostgresqlsOtherTypesAreTheirText) {
    EXPECT_EQ(pg_json("t", ValueClass::boolean), "true");
    EXPECT_EQ(pg_json("19.90", ValueClass::numeric), R"("19.90")");
    EXPECT_EQ(pg_json("NaN", ValueClass::numeric), R"("NaN")");
    EXPECT_EQ(pg_json("\\x00ff", ValueClass::bytes), R"({"bytes":"00ff"})");
    EXPECT_EQ(pg_json("{1,NULL}", ValueClass::other), R"("{1,NULL}")");
    EXPECT_EQ(pg_json("t", ValueClass::text), R"("t")");
}

TEST(JsonValue, TextsAreReadBackAsTheyWere) {
    using namespace std::literals;
    for (const std::string_view text : {""sv, "a\"b\\c\n\t\r\x01\x7f"sv, "\0x\0"sv, "ß日本🦊\u2028"sv})
        EXPECT_EQ(nlohmann::json::parse(json_of(Cell::text(text))).get<std::string>(), text);
    EXPECT_EQ(json_of(Cell::text("\xff" "A")), R"({"text":"ff41"})");
    EXPECT_EQ(json_of(Cell::text("\xed\xa0\x80")), R"({"text":"eda080"})") << "half a surrogate pair";
    EXPECT_EQ(json_of(Cell::blob("\x00\xff"sv)), R"({"bytes":"00ff"})");
    EXPECT_EQ(json_of(Cell::null()), "null");
    EXPECT_THROW((void)json_of(Cell::unchanged()), std::logic_error);
    EXPECT_THROW((void)json_of(Cell::absent()), std::logic_error);
}

TEST(SqlLiteral, SqliteReadsBackExactlyWhatWasPrinted) {
    using namespace std::literals;
    SqliteDb db{new_temp_dir("literal") / "a.db"};
    const auto read_back = [&](const Cell& cell) { return db.query("SELECT " + sql_of(cell)).at(0).at(0); };
    for (const std::int64_t value : {std::int64_t{0}, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
        EXPECT_EQ(std::get<std::int64_t>(read_back(Cell::integer(value))), value);
    for (const double value : {1.0, -0.0, 0.1, 1e300, 5e-324, 123456789012345680.0, HUGE_VAL, -HUGE_VAL}) {
        const double back = std::get<double>(read_back(Cell::real(value)));
        EXPECT_EQ(back, value);
        EXPECT_EQ(std::signbit(back), std::signbit(value));
    }
    for (const std::string_view text : {""sv, "it's"sv, "a\nb\x1b[2J"sv, "\0"sv, "a\0b"sv, "\xff\xfe"sv, "ß🦊"sv}) {
        EXPECT_EQ(std::get<std::string>(read_back(Cell::text(text))), text);
        EXPECT_EQ(sql_of(Cell::text(text)).find_first_of("\n\x1b"sv), std::string::npos);
    }
    EXPECT_EQ(std::get<SqliteBlob>(read_back(Cell::blob("\0\xff"sv))).bytes, "\0\xff"sv);
}

/// Bits of all kinds, and what people write: few digits, powers of ten and of two, the ends of the range.
double some_double(Random& random) {
    const double sign = random.chance(50) ? 1 : -1;
    switch (random.below(6)) {
        case 0: return sign * static_cast<double>(random.below(100'000'000)) / std::pow(10.0, random.below(9));
        case 1: return sign * std::ldexp(1.0, random.below(2098) - 1074);
        case 2: return sign * std::bit_cast<double>(random.bits() >> (12 + random.below(52)));  // denormal
        case 3: return sign * std::strtod(fmt::format("{}e{}", random.bits() % 10'000'000'000'000'000, random.below(80) - 50).c_str(), nullptr);
        case 4: return sign * static_cast<double>(random.bits() >> random.below(64));
        default: return std::bit_cast<double>(random.bits());
    }
}

// Near 1e-290 SQLite 3.40 reads the shortest decimal one bit off, so that a copy that was made of what tail printed differed.
TEST(SqlLiteral, EachDoubleIsReadBackBitForBit) {
    SqliteDb db{new_temp_dir("literal") / "a.db"};
    const std::uint64_t seed = choose_seed();
    Random random{seed};
    std::vector<double> values{0.0, -0.0, 5e-324, 2.2250738585072009e-308, std::numeric_limits<double>::min(), std::numeric_limits<double>::max(), HUGE_VAL, -HUGE_VAL, -9.1740219854081216e-291, 0.1, 1.0 / 3};
    while (values.size() < 20'000)
        if (const double value = some_double(random); !std::isnan(value)) values.push_back(value);
    for (std::size_t from = 0; from < values.size(); from += 400) {
        const std::size_t count = std::min<std::size_t>(400, values.size() - from);
        std::string sql = "VALUES ";
        for (std::size_t i = from; i < from + count; ++i) sql += (i == from ? "(" : ", (") + sql_of(Cell::real(values[i])) + ")";
        const std::vector<SqliteRow> rows = db.query(sql);
        ASSERT_EQ(rows.size(), count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto* back = std::get_if<double>(&rows[i][0]);
            ASSERT_TRUE(back != nullptr && std::bit_cast<std::uint64_t>(*back) == std::bit_cast<std::uint64_t>(values[from + i])) << sql_of(Cell::real(values[from + i]));
        }
    }
    for (const auto& [value, text] : {std::pair{0.1, "0.1"}, {-19.99, "-19.99"}, {1e15, "1000000000000000.0"}, {0.1 + 0.2, "(1351079888211149.0/(1<<52))"}})
        EXPECT_EQ(sql_of(Cell::real(value)), text);
}

/// The ways in which versions and builds of SQLite come from digits and places to a double: 3.40 with and without 80-bit numbers, 3.43 to 3.46.
TEST(SqlLiteral, ADecimalIsPrintedOnlyWhereNoVersionOfSqliteReadsAnother) {
    const std::uint64_t seed = choose_seed();
    Random random{seed};
    int decimals = 0;
    int off = 0;
    for (int i = 0; i < 100'000; ++i) {
        const double value = std::abs(random.chance(50) ? some_double(random) : static_cast<double>(random.bits() % 1'000'000'000'000'000) / std::pow(10.0, 1 + random.below(22)));
        if (std::isnan(value) || std::isinf(value) || value == std::trunc(value)) continue;
        const std::string shortest = fmt::format("{}", value);
        std::string digits;
        int places = 0;
        for (const char c : shortest.substr(0, shortest.find('e'))) {
            if (c == '.') places = 1;
            else digits += c;
            if (c != '.' && places > 0) ++places;
        }
        places = std::max(places - 1, 0);
        if (const std::size_t e = shortest.find('e'); e != std::string::npos) places -= std::stoi(shortest.substr(e + 1));
        if (places <= 0 || places > 27) continue;
        const auto whole = std::stoull(digits);
        long double divisor = 1;
        long double stepwise = static_cast<long double>(whole);
        for (int place = 0; place < places; ++place) divisor *= 10;
        for (int place = 0; place < places / 10; ++place) stepwise *= 1.0e-10L;
        for (int place = 0; place < places % 10; ++place) stepwise *= 1.0e-1L;
        const bool same = static_cast<double>(whole) / static_cast<double>(divisor) == value && static_cast<double>(static_cast<long double>(whole) / divisor) == value &&
                          static_cast<double>(stepwise) == value;
        off += same ? 0 : 1;
        if (sql_of(Cell::real(value)) != shortest) continue;
        ++decimals;
        ASSERT_TRUE(same) << shortest;
    }
    EXPECT_GT(decimals, 15'000);
    EXPECT_GT(off, 30) << "so nothing was tried";
}

TEST(SqlLiteral, PostgresqlValuesKeepTheirText) {
    const auto of = [](std::string_view text, ValueClass type) { return sql_of(Cell::text(text), Engine::postgresql, type); };
    EXPECT_EQ(of("12", ValueClass::integer), "12");
    EXPECT_EQ(of("-12", ValueClass::integer), "'-12'");
    EXPECT_EQ(of("NaN", ValueClass::real), "'NaN'");
    EXPECT_EQ(of("19.90", ValueClass::numeric), "19.90");
    EXPECT_EQ(of("t", ValueClass::boolean), "true");
    EXPECT_EQ(of("it's \\n", ValueClass::text), "'it''s \\n'");
    EXPECT_EQ(of("a\nb\\'\x1b", ValueClass::text), "E'a\\nb\\\\''\\x1b'");
}

/// Prints into a file and gives what is in it.
class Printed {
public:
    explicit Printed(TailFormat format = TailFormat::json, unsigned kinds = record_kind::all, SpoolOptions spool = {})
        : file_{new_temp_dir("tail") / "out"}, fd_{::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)},
          printer_{make_record_format(format, {}), Output{fd_, stop_}, kinds, spool} {
        printer_.set_leader({Engine::postgresql, "7", 1, "shop"}, PositionKind::lsn);
    }
    ~Printed() { ::close(fd_); }

    TailPrinter& printer() { return printer_; }
    void take(std::initializer_list<Step> steps) {
        Batch batch;
        for (const Step& step : steps) add_step(batch, step);
        printer_.apply(batch.events());
        printer_.flush(false);
    }
    [[nodiscard]] std::string text() const {
        std::string text(std::filesystem::file_size(file_), '\0');
        EXPECT_EQ(::pread(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        return text;
    }
    [[nodiscard]] std::vector<nlohmann::json> changes() const {
        std::vector<nlohmann::json> all;
        const std::string lines = text();
        for (std::size_t start = 0, end = 0; (end = lines.find('\n', start)) != std::string::npos; start = end + 1)
            if (auto record = nlohmann::json::parse(lines.substr(start, end - start)); record["operation"] != "table") all.push_back(std::move(record));
        return all;
    }

private:
    StopSignal stop_;
    std::filesystem::path file_;
    int fd_;
    TailPrinter printer_;
};

TablePtr orders(bool with_key = true) {
    auto table = std::make_shared<TableSchema>();
    table->name = {"public", "orders"};
    for (const auto& [name, type, value] :
         {std::tuple{"id", "integer", ValueClass::integer}, std::tuple{"note", "text", ValueClass::text}, std::tuple{"total", "numeric", ValueClass::numeric}}) {
        ColumnSchema column;
        column.name = name;
        column.type = type;
        column.value_class = value;
        table->columns.push_back(column);
    }
    if (with_key) table->primary_key = table->identity = {0};
    return table;
}

TEST(TailPrinter, NullUnchangedAndAbsentAreThreeThings) {
    Printed out;
    out.take({begin(90), update(orders(), {"7", absent, absent}, {"8", unchanged, null}), commit(100, 1'700'000'000'123'456)});
    const nlohmann::json record = out.changes().at(0);
    EXPECT_EQ(record["before"], (nlohmann::json{{"id", 7}}));
    EXPECT_EQ(record["after"], (nlohmann::json{{"id", 8}, {"total", nullptr}}));
    EXPECT_EQ(record["unchanged"], nlohmann::json::array({"note"}));
    EXPECT_EQ(record["key"], (nlohmann::json{{"id", 7}})) << "as it was before";
    EXPECT_EQ(record["transaction"]["position"], "lsn:0/64");
    EXPECT_EQ(record["transaction"]["time"], "2023-11-14T22:13:20.123456Z");
    EXPECT_EQ(record["leader"], "postgresql:7:1:shop");
}

TEST(TailPrinter, LastIsTheLastOneThatIsPrinted) {
    Printed out{TailFormat::json, record_kind::insert};
    const TablePtr table = orders();
    out.take({begin(90), insert(table, {"1", "a", null}), insert(table, {"2", "b", null}), remove(table, {"1", absent, absent}), commit(100), begin(100),
              remove(table, {"2", absent, absent}), commit(110)});
    const auto changes = out.changes();
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[0]["last"], false);
    EXPECT_EQ(changes[1]["last"], true);
    EXPECT_EQ(changes[1]["ordinal"], 2);
}

TEST(TailPrinter, NothingOfATransactionIsPrintedBeforeItsEnd) {
    Printed out;
    const TablePtr table = orders();
    out.take({begin(90), insert(table, {"1", "a", null})});
    EXPECT_EQ(out.text(), "");
    out.printer().abandon();  // the connection was lost
    out.take({begin(90), insert(table, {"1", "a", null}), insert(table, {"2", "b", null}), commit(100)});
    EXPECT_EQ(out.changes().size(), 2U);
    out.take({begin(90), insert(table, {"1", "a", null}), insert(table, {"2", "b", null}), commit(100), begin(100), insert(table, {"3", "c", null}), commit(110)});
    EXPECT_EQ(out.changes().size(), 3U) << "what was printed is not printed again by the same process";
}

TEST(TailPrinter, ALargeTransactionWaitsInAFile) {
    const auto folder = new_temp_dir("spool");
    Printed small{TailFormat::json, record_kind::all, {folder.string(), 1000}};
    Printed large{TailFormat::json, record_kind::all, {folder.string(), 100'000'000}};
    const TablePtr table = orders();
    for (Printed* out : {&small, &large}) {
        out->take({begin(90)});
        // One record is larger than what is read back from the file at once.
        for (int i = 1; i <= 3000; ++i) out->take({insert(table, {std::to_string(i), i == 1500 ? std::string(600'000, 'x') : "note", "1.50"})});
        out->take({commit(100)});
    }
    EXPECT_EQ(small.changes().size(), 3000U);
    EXPECT_EQ(small.text(), large.text());
    EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST(TailPrinter, TableIsDescribedOncePerShape) {
    Printed out;
    const TablePtr table = orders();
    auto wider = std::make_shared<TableSchema>(*table);
    wider->columns.push_back(wider->columns[1]);
    wider->columns.back().name = "more";
    Batch batch;
    add_step(batch, begin(90));
    add_step(batch, insert(table, {"1", "a", null}));
    batch.add(ShapeChange{batch.keep(table), batch.keep(wider), batch.keep(wider), {}});
    add_step(batch, insert(wider, {"2", "a", null, "m"}));
    add_step(batch, commit(100));
    out.printer().apply(batch.events());
    out.printer().flush(false);
    const auto changes = out.changes();
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_EQ(changes[1]["operation"], "shape");
    EXPECT_EQ(changes[1]["after"]["columns"].size(), 4U);
    EXPECT_NE(changes[0]["table"]["version"], changes[2]["table"]["version"]);
    EXPECT_EQ(changes[1]["after"]["version"], changes[2]["table"]["version"]);
    const std::string text = out.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4) << "the first shape is described, the second by its change";
    out.take({begin(100), insert(wider, {"3", "a", null, "m"}), commit(110)});
    EXPECT_EQ(out.changes().size(), 4U);
}

TEST(TailPrinter, SqlNamesOneRow) {
    Printed out{TailFormat::sql};
    const TablePtr table = orders();
    const TablePtr keyless = orders(false);
    out.take({begin(90), insert(table, {"1", "it's", null}), update(table, {"1", absent, absent}, {"2", unchanged, "1.50"}), update(table, {"2", "b", unchanged}),
              remove(keyless, {"1", "a", null}),
              truncate({table}, true), commit(100)});
    EXPECT_EQ(out.text(),
              "BEGIN; -- lsn:0/64\n"
              "INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"total\") VALUES (1, 'it''s', NULL);\n"
              "UPDATE \"public\".\"orders\" SET \"id\" = 2, \"total\" = 1.50 WHERE \"id\" = 1;\n"
              "UPDATE \"public\".\"orders\" SET \"note\" = 'b' WHERE \"id\" = 2;\n"
              "DELETE FROM \"public\".\"orders\" WHERE ctid = (SELECT ctid FROM \"public\".\"orders\" WHERE \"id\" IS NOT DISTINCT FROM 1 AND \"note\" IS NOT DISTINCT FROM 'a' "
              "AND \"total\" IS NULL LIMIT 1);\n"
              "TRUNCATE ONLY \"public\".\"orders\" RESTART IDENTITY;\n"
              "COMMIT;\n");
}

TEST(TailPrinter, TextIsShortAndHarmless) {
    Printed out{TailFormat::text};
    const TablePtr table = orders();
    out.take({begin(90), insert(table, {"1", "\x1b[2J\n" + std::string(500, 'x'), null}), update(table, {"1", "a", "1"}, {"1", "b", "1"}), commit(100)});
    const std::string text = out.text();
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_NE(text.find("…(505 bytes)"), std::string::npos) << text;
    EXPECT_NE(text.find("  update  public.orders id=1: note 'a' → 'b'\n"), std::string::npos) << text;
}

class Pipe {
public:
    Pipe() {
        if (::pipe2(ends_, O_CLOEXEC) != 0) throw std::runtime_error{"pipe"};
    }
    ~Pipe() {
        close_reader();
        ::close(ends_[1]);
    }
    void close_reader() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }
    [[nodiscard]] int reader() const { return ends_[0]; }
    [[nodiscard]] int writer() const { return ends_[1]; }

private:
    int ends_[2];
};

TEST(Output, AReaderThatTakesNothingIsWaitedForUntilTheStopSignal) {
    Pipe pipe;
    StopSignal stop;
    Output output{pipe.writer(), stop};
    std::thread later{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        stop.request();
    }};
    output.write(std::string(1'000'000, 'x'));
    EXPECT_THROW(output.flush(), InterruptedError);
    later.join();
}

TEST(Output, ASlowReaderGetsEverything) {
    Pipe pipe;
    StopSignal stop;
    Output output{pipe.writer(), stop};
    std::string got;
    std::thread reader{[&] {
        char piece[3000];
        while (got.size() < 500'000) got.append(piece, static_cast<std::size_t>(::read(pipe.reader(), piece, sizeof piece)));
    }};
    std::string sent;
    for (int i = 0; sent.size() < 500'000; ++i) {
        const std::string line = std::to_string(i) + "\n";
        sent += line;
        output.write(line);
    }
    output.flush();
    reader.join();
    EXPECT_EQ(got, sent);
}

TEST(Output, AReaderThatHasGoneIsNoticedWithoutWriting) {
    std::signal(SIGPIPE, SIG_IGN);  // as the program does
    Pipe pipe;
    StopSignal stop;
    Output output{pipe.writer(), stop};
    EXPECT_NO_THROW(output.check_reader());
    pipe.close_reader();
    EXPECT_THROW(output.check_reader(), ReaderGoneError);
    output.write("x");
    EXPECT_THROW(output.flush(), ReaderGoneError);
}

/// Files of this process end at `bytes`, as on a full disk.
class SizeLimit {
public:
    explicit SizeLimit(rlim_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error{"setrlimit"};
    }
    ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

private:
    rlimit before_{};
};

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(Output, AFullDiskGoesOnExactlyBehindWhatWasWritten) {
    StopSignal stop;
    const auto path = new_temp_dir("full") / "out";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    Output output{fd, stop};
    std::string sent;
    for (int i = 0; sent.size() < 60'000; ++i) sent += std::to_string(i) + "\n";
    output.write(sent);
    for (const rlim_t bytes : {10'001, 10'001, 33'333}) {
        const SizeLimit limit{bytes};
        EXPECT_THROW(output.flush(), RetryableError);
        EXPECT_EQ(std::filesystem::file_size(path), bytes);
    }
    output.flush();
    output.sync();
    ::close(fd);
    EXPECT_EQ(content_of(path), sent);
}

TEST(Output, ADeviceThatTakesNothingIsTriedAgain) {
    StopSignal stop;
    const int fd = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    Output output{fd, stop};
    output.write("a line\n");
    EXPECT_THROW(output.flush(), RetryableError);
    EXPECT_THROW(output.flush(), RetryableError) << "it is still to be written";
    ::close(fd);
}

TEST(Output, ALineThatACrashCutOffIsEnded) {
    const auto path = new_temp_dir("cut") / "out";
    const auto add = [&](std::string_view text, int flags = O_APPEND) {
        StopSignal stop;
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
        Output output{fd, stop};
        if (!text.empty()) output.write(text);
        output.flush();
        ::close(fd);
        return content_of(path);
    };
    EXPECT_EQ(add("one\n"), "one\n") << "an empty file has no line that is cut off";
    EXPECT_EQ(add("two\nthr"), "one\ntwo\nthr");
    EXPECT_EQ(add(""), "one\ntwo\nthr") << "nothing to write";
    EXPECT_EQ(add("four\n"), "one\ntwo\nthr\nfour\n");
    EXPECT_EQ(add("five\n"), "one\ntwo\nthr\nfour\nfive\n");
    EXPECT_EQ(add("six", O_TRUNC), "six");
}

class FullDisk : public ::testing::TestWithParam<TailFormat> {};

TEST_P(FullDisk, ATransactionInWhoseMiddleTheDiskWasFullIsPrintedOnce) {
    const auto take = [](Printed& out, int first, int rows, std::uint64_t at) {
        Batch batch;
        add_step(batch, begin(at - 10));
        for (int row = first; row < first + rows; ++row) add_step(batch, insert(orders(), {std::to_string(row), std::string(200, 'n'), "1.5"}));
        add_step(batch, commit(at));
        out.printer().apply(batch.events());
        out.printer().flush(false);
    };
    Printed whole{GetParam()};
    take(whole, 1, 2000, 100);
    take(whole, 5000, 3, 200);

    Printed out{GetParam()};
    for (const rlim_t bytes : {70'003, 150'007}) {
        const SizeLimit limit{bytes};
        EXPECT_THROW(take(out, 1, 2000, 100), RetryableError);
        out.printer().abandon();
    }
    take(out, 1, 2000, 100);
    take(out, 5000, 3, 200);
    EXPECT_EQ(out.text(), whole.text());
    EXPECT_EQ(out.printer().records(), 2003U);

    // It comes again as part of a larger one: nothing of that may be passed over.
    Printed merged{GetParam()};
    {
        const SizeLimit limit{70'003};
        EXPECT_THROW(take(merged, 2, 1999, 100), RetryableError);
        merged.printer().abandon();
    }
    take(merged, 1, 2000, 100);
    take(merged, 5000, 3, 200);
    EXPECT_TRUE(merged.text().ends_with((GetParam() == TailFormat::sql ? ";\nROLLBACK;\n" : "") + whole.text()));
}

INSTANTIATE_TEST_SUITE_P(Formats, FullDisk, ::testing::Values(TailFormat::json, TailFormat::text, TailFormat::sql));

}  // namespace
}  // namespace rowferry::test
