// The pure parts of PostgreSQL's trigger capture: rows as record_out() writes them, entries of the log, snapshots.

#include <gtest/gtest.h>

#include <random>

#include "schemas/error.h"
#include "triggers/postgresql/log_entry.h"
#include "triggers/postgresql/row_text.h"
#include "triggers/postgresql/tick.h"

namespace rowferry::pg_capture {
namespace {

std::vector<std::string> fields_of(std::string_view text, std::size_t count) {
    Arena arena;
    FieldMap map;
    for (std::size_t i = 0; i < count; ++i) map.push_back(static_cast<std::int32_t>(i));
    const auto cells = arena.array<Cell>(count);
    decode_row(text, map, arena, cells);
    std::vector<std::string> result;
    for (const Cell& cell : cells) result.push_back(cell.is_null() ? "NULL" : "'" + std::string{cell.bytes()} + "'");
    return result;
}

using Texts = std::vector<std::string>;

TEST(RowText, IsTakenApartAsPostgresqlWritesIt) {
    EXPECT_EQ(fields_of("(1,a,t)", 3), (Texts{"'1'", "'a'", "'t'"}));
    EXPECT_EQ(fields_of("(,\"\",)", 3), (Texts{"NULL", "''", "NULL"}));
    EXPECT_EQ(fields_of("(\"a \"\"b\"\" \\\\ (,)\",\"\n\")", 2), (Texts{"'a \"b\" \\ (,)'", "'\n'"}));
    EXPECT_EQ(fields_of("(\"\"\"\")", 1), (Texts{"'\"'"}));
    EXPECT_EQ(fields_of("(\"{\"\"(1,2)\"\",NULL}\",'x')", 2), (Texts{"'{\"(1,2)\",NULL}'", "''x''"}));
    EXPECT_EQ(fields_of("()", 1), (Texts{"NULL"}));
    EXPECT_EQ(fields_of("()", 0), Texts{});
    EXPECT_EQ(count_fields("(1,\"a,b\",)"), 3U);
}

TEST(RowText, FieldsThatAreNotCarriedAreLeftAlone) {
    Arena arena;
    const auto cells = arena.array<Cell>(2);
    decode_row("(1,\"gone, here\",3)", {1, -1, 0}, arena, cells);
    EXPECT_EQ(cells[1].bytes(), "1");
    EXPECT_EQ(cells[0].bytes(), "3");
}

TEST(RowText, AnythingElseIsAnErrorNotARead) {
    for (const std::string& text : Texts{"", "(", ")", "1,2", "(1,2", "1,2)", "(1),", "(\"a)", "(\"a\"b,c)", "(a\"b,c)", "(\"\\a\",b)", "(\"a\\\",b)", "(a(b,c)", "(1,2)x", "(\"\xff\",b)"})
        EXPECT_THROW(static_cast<void>(fields_of(text, 2)), DecodeError) << text;
    EXPECT_THROW(static_cast<void>(fields_of("(1,2,3)", 2)), DecodeError);
    EXPECT_THROW(static_cast<void>(fields_of("(1)", 2)), DecodeError);
}

TEST(RowText, EveryCutAndEveryFlippedByteIsReadOrRefused) {
    const std::string whole = "(17,\"quoted \"\"text\"\"\",,plain,\"\\\\x00ff\")";
    for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_THROW(static_cast<void>(fields_of(whole.substr(0, cut), 5)), DecodeError) << cut;
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int value = 0; value < 256; ++value) {
            std::string changed = whole;
            changed[at] = static_cast<char>(value);
            try {
                EXPECT_EQ(fields_of(changed, 5).size(), 5U);
            } catch (const DecodeError&) {
            }
        }
}

void put(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
}

void put_texts(std::string& out, const Texts& texts) {
    if (texts.empty()) return put(out, 0xFFFFFFFF, 4);
    std::string array;
    for (const std::uint64_t word : {1ULL, 0ULL, 25ULL, static_cast<unsigned long long>(texts.size()), 1ULL}) put(array, word, 4);
    for (const std::string& text : texts) {
        put(array, text.size(), 4);
        array += text;
    }
    put(out, array.size(), 4);
    out += array;
}

std::string entry_bytes(char op, const Texts& olds, const Texts& news) {
    std::string out;
    put(out, 8, 2);
    for (const auto& [value, size] : std::vector<std::pair<std::uint64_t, int>>{{42, 8}, {7'000'000'000, 8}, {16385, 4}, {static_cast<std::uint64_t>(op), 1}, {2, 2}, {1, 1}}) {
        put(out, static_cast<std::uint64_t>(size), 4);
        put(out, value, size);
    }
    put_texts(out, olds);
    put_texts(out, news);
    return out;
}

TEST(LogEntryTest, IsReadFromCopysBinaryForm) {
    LogEntry entry;
    const std::string bytes = entry_bytes('U', {"(1,a)", "(2,b)"}, {"(1,c)", "(3,b)"});
    decode_entry(bytes, entry);
    EXPECT_EQ(entry.seq, 42U);
    EXPECT_EQ(entry.xid, 7'000'000'000U);
    EXPECT_EQ(entry.rel, 16385U);
    EXPECT_EQ(entry.op, 'U');
    EXPECT_EQ(entry.depth, 2);
    EXPECT_TRUE(entry.row_level);
    EXPECT_EQ(entry.olds, (std::vector<std::string_view>{"(1,a)", "(2,b)"}));
    EXPECT_EQ(entry.news, (std::vector<std::string_view>{"(1,c)", "(3,b)"}));
    for (const char op : {'I', 'D', 'T', 'x'}) EXPECT_THROW(decode_entry(entry_bytes(op, {"()"}, {"()"}), entry), DecodeError) << op;
    EXPECT_THROW(decode_entry(entry_bytes('U', {"(1)"}, {"(1)", "(2)"}), entry), DecodeError);
    decode_entry(entry_bytes('T', {}, {}), entry);
    EXPECT_EQ(entry.op, 'T');
}

TEST(LogEntryTest, EveryCutIsAnErrorAndNoFlippedByteReadsOutside) {
    LogEntry entry;
    const std::string whole = entry_bytes('U', {"(1,a)"}, {"(1,c)"});
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        const std::string part = whole.substr(0, cut);
        EXPECT_THROW(decode_entry(part, entry), DecodeError) << cut;
    }
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int value = 0; value < 256; ++value) {
            std::string changed = whole;
            changed[at] = static_cast<char>(value);
            try {
                decode_entry(changed, entry);
            } catch (const DecodeError&) {
            }
        }
}

TEST(Snapshots, SayWhatTheySee) {
    const SnapshotBounds bounds = parse_snapshot("100:110:100,103,109");
    for (const std::uint64_t seen : {1, 99, 101, 104, 108}) EXPECT_TRUE(bounds.sees(seen)) << seen;
    for (const std::uint64_t not_seen : {100, 103, 109, 110, 111}) EXPECT_FALSE(bounds.sees(not_seen)) << not_seen;
    EXPECT_EQ(bounds.running_array(), "{100,103,109}");
    EXPECT_EQ(parse_snapshot("4294967296:4294967297:").xmax, 4294967297U);
    for (const std::string& text : Texts{"", "1", "1:2", "2:1:", "1:5:9", "1:5:3,2", "1:5:3,", "1:5:x", "1:5:3;4", "a:b:c"}) EXPECT_THROW(static_cast<void>(parse_snapshot(text)), HaltError) << text;
}

TEST(Snapshots, ACheckpointKeepsWhatIsNeededToGoOn) {
    const Tick tick = parse_resume(7, resume_text({7, "0b7c", "5:9:6,7"}));
    EXPECT_EQ(tick.number, 7U);
    EXPECT_EQ(tick.tag, "0b7c");
    EXPECT_EQ(tick.snapshot, "5:9:6,7");
    EXPECT_THROW(static_cast<void>(parse_resume(7, "")), HaltError);
    EXPECT_THROW(static_cast<void>(parse_resume(7, "tag 5:x:")), HaltError);
}

}  // namespace
}  // namespace rowferry::pg_capture
