#include "triggers/postgresql/log_entry.h"

#include <string>

#include <fmt/format.h>

#include "decoder/byte_reader.h"
#include "schemas/error.h"

namespace rowferry::pg_capture {
namespace {

constexpr const char* kName = "a row of the change log";

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }

/// A field of exactly this many bytes that is not NULL.
void expect_length(ByteReader& reader, std::int32_t length) {
    if (reader.i32() != length) reader.fail("a field of another length");
}

/// text[] in binary form: dimensions:i32 flags:i32 type:oid, then for each dimension size:i32 lower:i32, then length:i32 bytes for each element.
void read_texts(ByteReader& reader, std::vector<std::string_view>& texts) {
    texts.clear();
    const std::int32_t length = reader.i32();
    if (length == -1) return;
    if (length < 0) reader.fail("a negative length");
    ByteReader array{reader.take(static_cast<std::size_t>(length)), kName};
    const std::int32_t dimensions = array.i32();
    static_cast<void>(array.i32());  // whether there are NULLs: their length says so as well
    static_cast<void>(array.u32());
    if (dimensions != 1) array.fail("an array that is not of one dimension");
    const std::size_t count = array.count32("elements");
    static_cast<void>(array.i32());
    for (std::size_t i = 0; i < count; ++i) texts.push_back(array.take_text(array.count32("length of a row")));
    array.expect_end();
}

}  // namespace

void decode_entry(std::string_view message, LogEntry& entry) {
    ByteReader reader{as_bytes(message), kName};
    if (reader.i16() != 8) reader.fail("not 8 fields");
    expect_length(reader, 8);
    entry.seq = reader.u64();
    expect_length(reader, 8);
    entry.xid = reader.u64();
    expect_length(reader, 4);
    entry.rel = reader.u32();
    expect_length(reader, 1);
    entry.op = static_cast<char>(reader.u8());
    expect_length(reader, 2);
    entry.depth = reader.i16();
    expect_length(reader, 1);
    entry.row_level = reader.u8() != 0;
    read_texts(reader, entry.olds);
    read_texts(reader, entry.news);
    reader.expect_end();
    const bool fits = (entry.op == 'I' && entry.olds.empty() && !entry.news.empty()) || (entry.op == 'D' && !entry.olds.empty() && entry.news.empty()) ||
                      (entry.op == 'U' && !entry.olds.empty() && entry.olds.size() == entry.news.size()) || (entry.op == 'T' && entry.olds.empty() && entry.news.empty());
    if (!fits) reader.fail(fmt::format("operation {:#x} with {} old and {} new rows", static_cast<unsigned char>(entry.op), entry.olds.size(), entry.news.size()));
}

}  // namespace rowferry::pg_capture
