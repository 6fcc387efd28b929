#pragma once

// A small language for messages of the replication protocol: Bytes{}.tag('I').u32(16384).tag('N').tuple({text("1"), null()}).

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "decoder/pgoutput/messages.h"

namespace rowferry::test {

class Bytes {
public:
    Bytes() = default;
    explicit Bytes(std::string data) : data_{std::move(data)} {}

    static Bytes hex(std::string_view text) {
        const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
        Bytes bytes;
        for (std::size_t i = 0; i + 1 < text.size(); i += 2) bytes.u8(static_cast<std::uint8_t>(digit(text[i]) * 16 + digit(text[i + 1])));
        return bytes;
    }

    Bytes& tag(char value) {
        data_.push_back(value);
        return *this;
    }
    Bytes& u8(std::uint8_t value) { return number(value, 1); }
    Bytes& i16(std::int16_t value) { return number(static_cast<std::uint64_t>(value), 2); }
    Bytes& u32(std::uint32_t value) { return number(value, 4); }
    Bytes& i32(std::int32_t value) { return number(static_cast<std::uint64_t>(value), 4); }
    Bytes& u64(std::uint64_t value) { return number(value, 8); }
    Bytes& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value), 8); }
    Bytes& raw(std::string_view value) {
        data_ += value;
        return *this;
    }
    Bytes& cstr(std::string_view value) { return raw(value).u8(0); }
    Bytes& tuple(std::initializer_list<Bytes> columns) {
        i16(static_cast<std::int16_t>(columns.size()));
        for (const Bytes& column : columns) raw(column.data_);
        return *this;
    }

    [[nodiscard]] const std::string& data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return data_.size(); }
    [[nodiscard]] Bytes first(std::size_t count) const { return Bytes{data_.substr(0, count)}; }

private:
    Bytes& number(std::uint64_t value, int size) {
        for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
            data_.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
        return *this;
    }
    std::string data_;
};

inline Bytes null() { return Bytes{}.tag('n'); }
inline Bytes unchanged() { return Bytes{}.tag('u'); }
inline Bytes text(std::string_view value) { return Bytes{}.tag('t').i32(static_cast<std::int32_t>(value.size())).raw(value); }
inline Bytes binary(std::string_view value) { return Bytes{}.tag('b').i32(static_cast<std::int32_t>(value.size())).raw(value); }

/// A copy in a heap block of exactly that size, so that AddressSanitizer sees a read of even one byte too many.
class HeapBytes {
public:
    explicit HeapBytes(const Bytes& bytes) : HeapBytes{std::string_view{bytes.data()}} {}
    explicit HeapBytes(std::string_view bytes) : data_{new std::byte[bytes.size()]}, size_{bytes.size()} {
        for (std::size_t i = 0; i < size_; ++i) data_[i] = static_cast<std::byte>(bytes[i]);
    }
    [[nodiscard]] std::span<const std::byte> span() const noexcept { return {data_.get(), size_}; }

private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_;
};

/// A valid message and what the decoder has to know to read it.
struct Sample {
    Bytes bytes;
    bool in_stream = false;
    bool parallel_streaming = false;

    [[nodiscard]] pgoutput::Message decode(std::span<const std::byte> from) const {
        return pgoutput::decode_message(from, in_stream, parallel_streaming);
    }
};

constexpr std::uint32_t kTable = 16384;
constexpr std::int64_t kTime = 820'000'000'123'456;

/// Every kind of message, in each of its forms.
inline std::vector<Sample> message_samples() {
    std::vector<Sample> samples{
        {Bytes{}.tag('B').u64(0x100).i64(kTime).u32(7)},
        {Bytes{}.tag('C').u8(0).u64(0x100).u64(0x130).i64(kTime)},
        {Bytes{}.tag('O').u64(0x99).cstr("elsewhere")},
        {Bytes{}.tag('S').u32(7).u8(1)},
        {Bytes{}.tag('S').u32(7).u8(0)},
        {Bytes{}.tag('E'), true},
        {Bytes{}.tag('c').u32(7).u8(0).u64(0x100).u64(0x130).i64(kTime)},
        {Bytes{}.tag('A').u32(7).u32(8)},
        {Bytes{}.tag('A').u32(7).u32(8).u64(0x200).i64(kTime), false, true},
        {Bytes{}.tag('b').u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid")},
        {Bytes{}.tag('P').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid")},
        {Bytes{}.tag('K').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid")},
        {Bytes{}.tag('r').u8(0).u64(0x130).u64(0x160).i64(kTime).i64(kTime + 1).u32(7).cstr("gid")},
        {Bytes{}.tag('p').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid")},
    };
    for (const bool in_stream : {false, true}) {
        const auto head = [in_stream](char tag) {
            Bytes bytes = Bytes{}.tag(tag);
            if (in_stream) bytes.u32(9);
            return bytes;
        };
        const auto add = [&](const Bytes& bytes) { samples.push_back({bytes, in_stream}); };
        add(head('R')
                .u32(kTable)
                .cstr("public")
                .cstr("person")
                .tag('d')
                .i16(2)
                .u8(1)
                .cstr("id")
                .u32(23)
                .i32(-1)
                .u8(0)
                .cstr("größe")
                .u32(1043)
                .i32(24));
        add(head('R').u32(kTable).cstr("").cstr("nothing").tag('n').i16(0));
        add(head('Y').u32(kTable + 1).cstr("public").cstr("mood"));
        add(head('I').u32(kTable).tag('N').tuple({text("1"), null(), text(""), binary(std::string{"\0\xFF", 2})}));
        add(head('I').u32(kTable).tag('N').tuple({}));
        add(head('U').u32(kTable).tag('N').tuple({text("1"), unchanged()}));
        add(head('U').u32(kTable).tag('K').tuple({text("1"), null()}).tag('N').tuple({text("2"), unchanged()}));
        add(head('U').u32(kTable).tag('O').tuple({text("1"), text("a")}).tag('N').tuple({text("1"), text("b")}));
        add(head('D').u32(kTable).tag('K').tuple({text("1"), null()}));
        add(head('D').u32(kTable).tag('O').tuple({text("1"), text("a")}));
        add(head('T').i32(2).u8(3).u32(kTable).u32(kTable + 1));
        add(head('M').u8(1).u64(0x88).cstr("prefix").i32(4).raw(std::string_view{"a\0\xFFz", 4}));
        add(head('M').u8(0).u64(0x88).cstr("").i32(0));
    }
    return samples;
}

/// Reads every byte that a decoded message points to, and checks that walking a tuple agrees with its count.
class Toucher {
public:
    std::size_t operator()(const pgoutput::Message& message) {
        std::visit([this](const auto& m) { touch(m); }, message);
        return sum_;
    }

private:
    void add(std::string_view bytes) {
        for (const char c : bytes) sum_ = sum_ * 31 + static_cast<unsigned char>(c);
    }
    void add(const pgoutput::TupleView& tuple) {
        std::size_t walked = 0;
        for (const pgoutput::ColumnValue& value : tuple) {
            add(value.bytes);
            ++walked;
        }
        if (walked != tuple.column_count()) __builtin_trap();
    }
    void touch(const pgoutput::Origin& m) { add(m.name); }
    void touch(const pgoutput::Relation& m) {
        add(m.schema);
        add(m.name);
        std::size_t walked = 0;
        for (const pgoutput::RelationColumn& column : m.columns) {
            add(column.name);
            ++walked;
        }
        if (walked != m.columns.size()) __builtin_trap();
    }
    void touch(const pgoutput::Type& m) {
        add(m.schema);
        add(m.name);
    }
    void touch(const pgoutput::Insert& m) { add(m.after); }
    void touch(const pgoutput::Update& m) {
        add(m.before);
        add(m.after);
    }
    void touch(const pgoutput::Delete& m) { add(m.before); }
    void touch(const pgoutput::Truncate& m) {
        for (std::size_t i = 0; i < m.size(); ++i) sum_ += m.relation_id(i);
    }
    void touch(const pgoutput::LogicalMessage& m) {
        add(m.prefix);
        add(ByteReader::as_text(m.content));
    }
    void touch(const pgoutput::BeginPrepare& m) { add(m.gid); }
    void touch(const pgoutput::Prepare& m) { add(m.gid); }
    void touch(const pgoutput::CommitPrepared& m) { add(m.gid); }
    void touch(const pgoutput::RollbackPrepared& m) { add(m.gid); }
    void touch(const pgoutput::StreamPrepare& m) { add(m.gid); }
    void touch(const pgoutput::Begin&) {}
    void touch(const pgoutput::Commit&) {}
    void touch(const pgoutput::StreamStart&) {}
    void touch(const pgoutput::StreamStop&) {}
    void touch(const pgoutput::StreamCommit&) {}
    void touch(const pgoutput::StreamAbort&) {}

    std::size_t sum_ = 0;
};

inline std::size_t touch(const pgoutput::Message& message) { return Toucher{}(message); }

}  // namespace rowferry::test
