#include "decoder/byte_reader.h"

#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/pgoutput_bytes.h"
#include "schemas/value_shapes.h"

namespace rowferry {
namespace {

using test::Bytes;
using test::HeapBytes;

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const DecodeError& error) {
        EXPECT_EQ(error.kind(), ErrorKind::halted);
        return error.what();
    }
    return "no error";
}

TEST(ByteReader, ReadsBigEndianNumbersOfEverySizeAndSign) {
    const HeapBytes bytes{
        Bytes::hex("01"
                   "fffe"
                   "0102"
                   "80000000"
                   "fffffffe"
                   "0102030405060708"
                   "8000000000000000")};
    ByteReader in{bytes.span()};
    EXPECT_EQ(in.u8(), 1);
    EXPECT_EQ(in.i16(), -2);
    EXPECT_EQ(in.u16(), 0x0102);
    EXPECT_EQ(in.i32(), std::numeric_limits<std::int32_t>::min());
    EXPECT_EQ(in.u32(), 0xFFFFFFFE);
    EXPECT_EQ(in.u64(), 0x0102030405060708U);
    EXPECT_EQ(in.i64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(in.remaining(), 0U);
    in.expect_end();
}

TEST(ByteReader, EveryNumberThatIsCutIsAnError) {
    for (std::size_t size = 0; size < 8; ++size) {
        const HeapBytes bytes{std::string(size, '\1')};
        EXPECT_THROW(ByteReader{bytes.span()}.u64(), DecodeError) << size;
        if (size < 4) {
            EXPECT_THROW(ByteReader{bytes.span()}.i32(), DecodeError) << size;
        }
        if (size < 2) {
            EXPECT_THROW(ByteReader{bytes.span()}.i16(), DecodeError) << size;
        }
        if (size < 1) {
            EXPECT_THROW(ByteReader{bytes.span()}.u8(), DecodeError) << size;
        }
    }
}

TEST(ByteReader, AFailedReadLeavesItWhereItWas) {
    const HeapBytes bytes{std::string_view{"abc"}};
    ByteReader in{bytes.span()};
    in.u8();
    EXPECT_THROW(in.u32(), DecodeError);
    EXPECT_EQ(in.offset(), 1U);
    EXPECT_EQ(in.take_text(2), "bc");
}

TEST(ByteReader, NoCountCanWrapAround) {
    const HeapBytes bytes{std::string_view{"abc"}};
    ByteReader in{bytes.span()};
    in.u8();
    EXPECT_THROW(in.take(std::numeric_limits<std::size_t>::max()), DecodeError);
    EXPECT_THROW(in.take(3), DecodeError);
    EXPECT_EQ(in.take(2).size(), 2U);
    EXPECT_EQ(in.take(0).size(), 0U);
}

TEST(ByteReader, AStringEndsInsideTheMessage) {
    const HeapBytes bytes{std::string_view{"one\0\0two", 8}};
    ByteReader in{bytes.span(), "Test"};
    EXPECT_EQ(in.cstring(), "one");
    EXPECT_EQ(in.cstring(), "");
    EXPECT_EQ(error_of([&] { in.cstring(); }), "Test: a string without its end at byte 5");
    EXPECT_EQ(in.offset(), 5U);
}

TEST(ByteReader, ErrorsSayWhatAndWhere) {
    const HeapBytes bytes{Bytes::hex("01fffeffffffff")};
    ByteReader in{bytes.span(), "Test"};
    in.u8();
    EXPECT_EQ(error_of([&] { in.expect_end(); }), "Test: 6 bytes behind its end at byte 1");
    EXPECT_EQ(error_of([&] { in.u64(); }), "Test: too short, 8 bytes needed and 6 left at byte 1");
    EXPECT_EQ(error_of([&] { in.count16("count"); }), "Test: count is negative (-2) at byte 1");
    EXPECT_EQ(error_of([&] { in.count32("length"); }), "Test: length is negative (-1) at byte 3");
}

TEST(ByteReader, GivesBackWhatWasReadSinceAPlace) {
    const HeapBytes bytes{std::string_view{"abcdef"}};
    ByteReader in{bytes.span()};
    in.u8();
    const std::size_t start = in.offset();
    in.u16();
    EXPECT_EQ(ByteReader::as_text(in.since(start)), "bc");
    EXPECT_THROW((void)in.since(4), DecodeError);
}

/// In a buffer of exactly its size, so that a sanitizer sees any step beyond it.
std::size_t bad_at(std::string_view text) {
    const HeapBytes bytes{text};
    return find_bad_text(ByteReader::as_text(bytes.span()));
}

TEST(TextCheck, AcceptsWellFormedUtf8) {
    for (const std::string_view good : {"", "a", "plain ascii, longer than a word", "ä", "Änne €😀", "\x01\x7F", "\xED\x9F\xBF",
                                        "\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBF\xBF", "12345678ä12345678€"}) {
        EXPECT_EQ(bad_at(good), std::string_view::npos) << good;
    }
}

TEST(TextCheck, RefusesWhatIsNotUtf8AtEveryPlaceOfAWord) {
    for (const std::string_view bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xE2\x82",
                                       "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80", "\xFE", "\xFF", "\xE2\x82(", "\xF0\x9F\x98("}) {
        for (std::size_t before = 0; before < 9; ++before) {
            EXPECT_EQ(bad_at(std::string(before, 'x') + std::string{bad}), before) << before;
            EXPECT_EQ(bad_at(std::string(before, 'x') + std::string{bad} + "tail of text"), before) << before;
        }
    }
}

TEST(TextCheck, FindsANulByteAtEveryPlaceOfAWord) {
    for (std::size_t before = 0; before < 18; ++before) {
        for (std::size_t after = 0; after < 18; ++after) {
            EXPECT_EQ(bad_at(std::string(before, '\x01') + '\0' + std::string(after, 'x')), before) << before << ' ' << after;
        }
    }
}

}  // namespace
}  // namespace rowferry
