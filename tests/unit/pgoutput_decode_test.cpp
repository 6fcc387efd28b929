#include "decoder/pgoutput/messages.h"

#include <functional>
#include <limits>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "decoder/pgoutput/copy_data.h"
#include "tests/unit/pgoutput_bytes.h"

namespace rowferry::pgoutput {
namespace {

using test::Bytes;
using test::HeapBytes;
using test::kTable;
using test::kTime;
using test::message_samples;
using test::null;
using test::Sample;
using test::text;
using test::unchanged;

/// Decodes one message and hands it to `check` while its bytes live.
template <typename M>
void decoded(const Bytes& bytes, const std::function<void(const M&)>& check, bool in_stream = false, bool parallel = false) {
    const HeapBytes heap{bytes};
    const Message message = decode_message(heap.span(), in_stream, parallel);
    ASSERT_TRUE(std::holds_alternative<M>(message)) << name_of(message);
    check(std::get<M>(message));
}

std::string error_of(const Bytes& bytes, bool in_stream = false, bool parallel = false) {
    const HeapBytes heap{bytes};
    try {
        return std::string{"no error, but "} + name_of(decode_message(heap.span(), in_stream, parallel));
    } catch (const DecodeError& error) {
        return error.what();
    }
}

std::string columns_of(const TupleView& tuple) {
    std::string out;
    for (const ColumnValue& value : tuple) {
        out += static_cast<char>(value.kind);
        if (!value.bytes.empty()) out += ":" + std::string{value.bytes};
        out += ' ';
    }
    return out;
}

TEST(PgoutputDecode, Begin) {
    decoded<Begin>(Bytes{}.tag('B').u64(0xFEDCBA9876543210).i64(kTime).u32(4'000'000'000), [](const Begin& m) {
        EXPECT_EQ(m.final_lsn, 0xFEDCBA9876543210U);
        EXPECT_EQ(m.commit_time, kTime);
        EXPECT_EQ(m.xid, 4'000'000'000U);
    });
    EXPECT_EQ(error_of(Bytes{}.tag('B').u64(0).i64(kTime).u32(7)), "Begin: final_lsn is not set at byte 1");
    EXPECT_EQ(error_of(Bytes{}.tag('B').u64(1).i64(kTime).u32(0)), "Begin: transaction id is not set at byte 17");
}

TEST(PgoutputDecode, SubtransactionOfAStreamedMessage) {
    for (const Sample& sample : message_samples()) {
        const HeapBytes heap{sample.bytes};
        const char tag = sample.bytes.data().front();
        if (!sample.in_stream || tag == StreamStop::kTag) continue;
        EXPECT_EQ(subtransaction_of(heap.span()), 9U) << tag;
        for (std::size_t size = 0; size < 5; ++size)
            EXPECT_THROW(static_cast<void>(subtransaction_of(HeapBytes{sample.bytes.first(size)}.span())), DecodeError) << tag << " cut to " << size;
    }
    EXPECT_EQ(subtransaction_of(HeapBytes{Bytes{}.tag('O').u64(0x99).cstr("elsewhere")}.span()), 0U);
    for (const char tag : {'B', 'C', 'S', 'E', 'c', 'A', 'x'})
        EXPECT_THROW(static_cast<void>(subtransaction_of(HeapBytes{Bytes{}.tag(tag).u32(9).u64(1).u64(2)}.span())), DecodeError) << tag;
}

TEST(PgoutputDecode, Commit) {
    decoded<Commit>(Bytes{}.tag('C').u8(0).u64(0x100).u64(0x130).i64(-1), [](const Commit& m) {
        EXPECT_EQ(m.commit_lsn, 0x100U);
        EXPECT_EQ(m.end_lsn, 0x130U);
        EXPECT_EQ(m.commit_time, -1);
    });
    EXPECT_EQ(error_of(Bytes{}.tag('C').u8(1).u64(0x100).u64(0x130).i64(0)), "Commit: unknown flags 0x01 at byte 1");
    EXPECT_EQ(error_of(Bytes{}.tag('C').u8(0).u64(0x100).u64(0x100).i64(0)),
              "Commit: end of the record is not behind its start at byte 10");
}

TEST(PgoutputDecode, Origin) {
    const Bytes bytes = Bytes{}.tag('O').u64(0x99).cstr("else\xFFwhere");
    for (const bool in_stream : {false, true}) {
        decoded<Origin>(
            bytes,
            [](const Origin& m) {
                EXPECT_EQ(m.origin_lsn, 0x99U);
                EXPECT_EQ(m.name, "else\xFFwhere");
            },
            in_stream);
    }
}

Bytes relation_head(char identity = 'd') { return Bytes{}.tag('R').u32(kTable).cstr("public").cstr("pérson").tag(identity); }

TEST(PgoutputDecode, Relation) {
    decoded<Relation>(relation_head('i').i16(2).u8(1).cstr("id").u32(23).i32(-1).u8(0).cstr("größe").u32(1043).i32(24),
                      [](const Relation& m) {
                          EXPECT_EQ(m.xid, 0U);
                          EXPECT_EQ(m.relation_id, kTable);
                          EXPECT_EQ(m.schema, "public");
                          EXPECT_EQ(m.name, "pérson");
                          EXPECT_EQ(m.identity, ReplicaIdentity::index);
                          ASSERT_EQ(m.columns.size(), 2U);
                          auto column = m.columns.begin();
                          EXPECT_TRUE(column->identity);
                          EXPECT_EQ(column->name, "id");
                          EXPECT_EQ(column->type_oid, 23U);
                          EXPECT_EQ(column->type_modifier, -1);
                          ++column;
                          EXPECT_FALSE(column->identity);
                          EXPECT_EQ(column->name, "größe");
                          EXPECT_EQ(column->type_oid, 1043U);
                          EXPECT_EQ(column->type_modifier, 24);
                          ++column;
                          EXPECT_TRUE(column == m.columns.end());
                      });
}

TEST(PgoutputDecode, RelationIdentities) {
    for (const char identity : {'d', 'n', 'f', 'i'}) {
        decoded<Relation>(relation_head(identity).i16(0), [identity](const Relation& m) {
            EXPECT_EQ(static_cast<char>(m.identity), identity);
            EXPECT_TRUE(m.columns.begin() == m.columns.end());
        });
    }
    EXPECT_EQ(error_of(relation_head('x').i16(0)), "Relation: unknown replica identity at byte 20");
}

TEST(PgoutputDecode, AnEmptySchemaIsPgCatalog) {
    decoded<Relation>(Bytes{}.tag('R').u32(1).cstr("").cstr("t").tag('d').i16(0),
                      [](const Relation& m) { EXPECT_EQ(m.schema, "pg_catalog"); });
    decoded<Type>(Bytes{}.tag('Y').u32(1).cstr("").cstr("t"), [](const Type& m) { EXPECT_EQ(m.schema, "pg_catalog"); });
}

TEST(PgoutputDecode, NamesHaveToBeUtf8) {
    EXPECT_EQ(error_of(Bytes{}.tag('R').u32(1).cstr("sch\xE4ma").cstr("t").tag('d').i16(0)),
              "Relation: a name that is not UTF-8 at byte 5");
    EXPECT_EQ(error_of(Bytes{}.tag('R').u32(1).cstr("s").cstr("\xED\xA0\x80").tag('d').i16(0)),
              "Relation: a name that is not UTF-8 at byte 7");
    EXPECT_EQ(error_of(relation_head().i16(1).u8(0).cstr("\xFF").u32(25).i32(-1)), "Relation: a name that is not UTF-8 at byte 24");
    EXPECT_EQ(error_of(Bytes{}.tag('Y').u32(1).cstr("s").cstr("\xC0\x80")), "Type: a name that is not UTF-8 at byte 7");
}

TEST(PgoutputDecode, RelationColumnCountsAndFlagsAreChecked) {
    EXPECT_EQ(error_of(relation_head().i16(-1)), "Relation: column count is negative (-1) at byte 21");
    EXPECT_EQ(error_of(relation_head().i16(32767)), "Relation: too short, 1 bytes needed and 0 left at byte 23");
    EXPECT_EQ(error_of(relation_head().i16(1).u8(2).cstr("a").u32(25).i32(-1)), "Relation: unknown column flags 0x02 at byte 23");
}

TEST(PgoutputDecode, TypeMessage) {
    decoded<Type>(Bytes{}.tag('Y').u32(16390).cstr("public").cstr("mood"), [](const Type& m) {
        EXPECT_EQ(m.type_oid, 16390U);
        EXPECT_EQ(m.schema, "public");
        EXPECT_EQ(m.name, "mood");
    });
}

TEST(PgoutputDecode, Insert) {
    decoded<Insert>(Bytes{}.tag('I').u32(kTable).tag('N').tuple({text("1"), null(), text(""), test::binary("bin"), unchanged()}),
                    [](const Insert& m) {
                        EXPECT_EQ(m.relation_id, kTable);
                        EXPECT_EQ(m.after.column_count(), 5U);
                        EXPECT_EQ(columns_of(m.after), "t:1 n t b:bin u ");
                    });
    EXPECT_EQ(error_of(Bytes{}.tag('I').u32(kTable).tag('K').tuple({})), "Insert: no new row at byte 5");
}

TEST(PgoutputDecode, UpdateWithEachOldImage) {
    decoded<Update>(Bytes{}.tag('U').u32(kTable).tag('N').tuple({text("1"), unchanged()}), [](const Update& m) {
        EXPECT_EQ(m.old_image, OldImage::none);
        EXPECT_EQ(m.before.column_count(), 0U);
        EXPECT_TRUE(m.before.begin() == m.before.end());
        EXPECT_EQ(columns_of(m.after), "t:1 u ");
    });
    for (const char image : {'K', 'O'}) {
        decoded<Update>(Bytes{}.tag('U').u32(kTable).tag(image).tuple({text("1"), null()}).tag('N').tuple({text("2"), unchanged()}),
                        [image](const Update& m) {
                            EXPECT_EQ(m.relation_id, kTable);
                            EXPECT_EQ(static_cast<char>(m.old_image), image);
                            EXPECT_EQ(columns_of(m.before), "t:1 n ");
                            EXPECT_EQ(columns_of(m.after), "t:2 u ");
                        });
    }
    EXPECT_EQ(error_of(Bytes{}.tag('U').u32(kTable).tag('X').tuple({})), "Update: no new row at byte 5");
    EXPECT_EQ(error_of(Bytes{}.tag('U').u32(kTable).tag('K').tuple({}).tag('K').tuple({})), "Update: no new row at byte 8");
}

TEST(PgoutputDecode, DeleteWithEachOldImage) {
    for (const char image : {'K', 'O'}) {
        decoded<Delete>(Bytes{}.tag('D').u32(kTable).tag(image).tuple({text("1"), null()}), [image](const Delete& m) {
            EXPECT_EQ(m.relation_id, kTable);
            EXPECT_EQ(static_cast<char>(m.old_image), image);
            EXPECT_EQ(columns_of(m.before), "t:1 n ");
        });
    }
    EXPECT_EQ(error_of(Bytes{}.tag('D').u32(kTable).tag('N').tuple({})), "Delete: no old row image at byte 5");
}

TEST(PgoutputDecode, TupleLengthsAreChecked) {
    const auto insert = [] { return Bytes{}.tag('I').u32(kTable).tag('N'); };
    EXPECT_EQ(error_of(insert().i16(-1)), "Insert: column count is negative (-1) at byte 6");
    EXPECT_EQ(error_of(insert().i16(32767).tag('n')), "Insert: too short, 1 bytes needed and 0 left at byte 9");
    EXPECT_EQ(error_of(insert().i16(1).tag('t').i32(-1)), "Insert: length of a value is negative (-1) at byte 9");
    EXPECT_EQ(error_of(insert().i16(1).tag('b').i32(std::numeric_limits<std::int32_t>::min())),
              "Insert: length of a value is negative (-2147483648) at byte 9");
    EXPECT_EQ(error_of(insert().i16(1).tag('t').i32(std::numeric_limits<std::int32_t>::max()).raw("abc")),
              "Insert: too short, 2147483647 bytes needed and 3 left at byte 13");
    EXPECT_EQ(error_of(insert().i16(1).tag('x')), "Insert: unknown column kind 0x78 at byte 8");
}

TEST(PgoutputDecode, Truncate) {
    decoded<Truncate>(Bytes{}.tag('T').i32(2).u8(0).u32(5).u32(4'000'000'000), [](const Truncate& m) {
        EXPECT_FALSE(m.cascade);
        EXPECT_FALSE(m.restart_identity);
        ASSERT_EQ(m.size(), 2U);
        EXPECT_EQ(m.relation_id(0), 5U);
        EXPECT_EQ(m.relation_id(1), 4'000'000'000U);
        EXPECT_THROW((void)m.relation_id(2), DecodeError);
        EXPECT_THROW((void)m.relation_id(std::numeric_limits<std::size_t>::max()), DecodeError);
        EXPECT_THROW((void)m.relation_id(std::size_t{1} << 62), DecodeError);
    });
    decoded<Truncate>(Bytes{}.tag('T').i32(0).u8(1),
                      [](const Truncate& m) { EXPECT_TRUE(m.cascade && !m.restart_identity && m.size() == 0); });
    decoded<Truncate>(Bytes{}.tag('T').i32(0).u8(2), [](const Truncate& m) { EXPECT_TRUE(!m.cascade && m.restart_identity); });
    EXPECT_EQ(error_of(Bytes{}.tag('T').i32(-1).u8(0)), "Truncate: table count is negative (-1) at byte 1");
    EXPECT_EQ(error_of(Bytes{}.tag('T').i32(0x7FFFFFFF).u8(0).u32(1)), "Truncate: too short, 8589934588 bytes needed and 4 left at byte 6");
    EXPECT_EQ(error_of(Bytes{}.tag('T').i32(0).u8(4)), "Truncate: unknown flags 0x04 at byte 5");
}

TEST(PgoutputDecode, LogicalMessages) {
    decoded<LogicalMessage>(Bytes{}.tag('M').u8(1).u64(0x88).cstr("pre").i32(3).raw(std::string_view{"a\0\xFF", 3}),
                            [](const LogicalMessage& m) {
                                EXPECT_TRUE(m.transactional);
                                EXPECT_EQ(m.lsn, 0x88U);
                                EXPECT_EQ(m.prefix, "pre");
                                EXPECT_EQ(ByteReader::as_text(m.content), (std::string_view{"a\0\xFF", 3}));
                            });
    decoded<LogicalMessage>(Bytes{}.tag('M').u8(0).u64(0x88).cstr("").i32(0), [](const LogicalMessage& m) {
        EXPECT_FALSE(m.transactional);
        EXPECT_TRUE(m.content.empty());
    });
    EXPECT_EQ(error_of(Bytes{}.tag('M').u8(2).u64(1).cstr("").i32(0)), "Message: unknown flags 0x02 at byte 1");
    EXPECT_EQ(error_of(Bytes{}.tag('M').u8(0).u64(1).cstr("").i32(-7)), "Message: length of the content is negative (-7) at byte 11");
    EXPECT_EQ(error_of(Bytes{}.tag('M').u8(0).u64(1).raw("abc")), "Message: a string without its end at byte 10");
}

TEST(PgoutputDecode, StreamControl) {
    decoded<StreamStart>(Bytes{}.tag('S').u32(7).u8(1), [](const StreamStart& m) { EXPECT_TRUE(m.xid == 7 && m.first_segment); });
    decoded<StreamStart>(Bytes{}.tag('S').u32(7).u8(0), [](const StreamStart& m) { EXPECT_FALSE(m.first_segment); });
    EXPECT_EQ(error_of(Bytes{}.tag('S').u32(0).u8(1)), "Stream Start: transaction id is not set at byte 1");
    EXPECT_EQ(error_of(Bytes{}.tag('S').u32(7).u8(2)), "Stream Start: unknown flags 0x02 at byte 5");
    decoded<StreamStop>(
        Bytes{}.tag('E'), [](const StreamStop&) {}, true);
    decoded<StreamCommit>(Bytes{}.tag('c').u32(7).u8(0).u64(0x100).u64(0x130).i64(kTime), [](const StreamCommit& m) {
        EXPECT_EQ(m.xid, 7U);
        EXPECT_EQ(m.commit_lsn, 0x100U);
        EXPECT_EQ(m.end_lsn, 0x130U);
        EXPECT_EQ(m.commit_time, kTime);
    });
}

TEST(PgoutputDecode, StreamAbortHasTwoForms) {
    const Bytes plain = Bytes{}.tag('A').u32(7).u32(8);
    const Bytes parallel = Bytes{plain}.u64(0x200).i64(kTime);
    decoded<StreamAbort>(plain,
                         [](const StreamAbort& m) { EXPECT_TRUE(m.xid == 7 && m.subxid == 8 && m.abort_lsn == 0 && m.abort_time == 0); });
    decoded<StreamAbort>(
        parallel,
        [](const StreamAbort& m) {
            EXPECT_TRUE(m.xid == 7 && m.subxid == 8);
            EXPECT_EQ(m.abort_lsn, 0x200U);
            EXPECT_EQ(m.abort_time, kTime);
        },
        false, true);
    EXPECT_EQ(error_of(parallel), "Stream Abort: 16 bytes behind its end at byte 9");
    EXPECT_EQ(error_of(plain, false, true), "Stream Abort: too short, 8 bytes needed and 0 left at byte 9");
}

template <typename M>
void expect_prepare(const Bytes& bytes) {
    decoded<M>(bytes, [](const M& m) {
        EXPECT_EQ(m.prepare_lsn, 0x100U);
        EXPECT_EQ(m.end_lsn, 0x130U);
        EXPECT_EQ(m.prepare_time, kTime);
        EXPECT_EQ(m.xid, 7U);
        EXPECT_EQ(m.gid, "gid");
    });
}

TEST(PgoutputDecode, TwoPhaseCommit) {
    expect_prepare<BeginPrepare>(Bytes{}.tag('b').u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid"));
    expect_prepare<Prepare>(Bytes{}.tag('P').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid"));
    expect_prepare<StreamPrepare>(Bytes{}.tag('p').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid"));
    decoded<CommitPrepared>(Bytes{}.tag('K').u8(0).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid"), [](const CommitPrepared& m) {
        EXPECT_EQ(m.commit_lsn, 0x100U);
        EXPECT_EQ(m.end_lsn, 0x130U);
        EXPECT_EQ(m.commit_time, kTime);
        EXPECT_EQ(m.xid, 7U);
        EXPECT_EQ(m.gid, "gid");
    });
    decoded<RollbackPrepared>(Bytes{}.tag('r').u8(0).u64(0x130).u64(0x160).i64(kTime).i64(kTime + 1).u32(7).cstr("gid"),
                              [](const RollbackPrepared& m) {
                                  EXPECT_EQ(m.prepare_end_lsn, 0x130U);
                                  EXPECT_EQ(m.rollback_end_lsn, 0x160U);
                                  EXPECT_EQ(m.prepare_time, kTime);
                                  EXPECT_EQ(m.rollback_time, kTime + 1);
                                  EXPECT_EQ(m.xid, 7U);
                                  EXPECT_EQ(m.gid, "gid");
                              });
    for (const char tag : {'P', 'p', 'K'}) {
        EXPECT_NE(error_of(Bytes{}.tag(tag).u8(1).u64(0x100).u64(0x130).i64(kTime).u32(7).cstr("gid")).find("unknown flags"),
                  std::string::npos)
            << tag;
        EXPECT_NE(error_of(Bytes{}.tag(tag).u8(0).u64(0).u64(0x130).i64(kTime).u32(7).cstr("gid")).find("is not set"), std::string::npos)
            << tag;
        EXPECT_NE(error_of(Bytes{}.tag(tag).u8(0).u64(0x100).u64(0).i64(kTime).u32(7).cstr("gid")).find("not behind its start"),
                  std::string::npos)
            << tag;
    }
}

TEST(PgoutputDecode, ChangesCarryTheirXidInsideAStreamOnly) {
    const auto expect_xid = [](const Bytes& bytes) {
        const HeapBytes heap{bytes};
        std::visit(
            [](const auto& m) {
                if constexpr (requires { m.xid; }) {
                    EXPECT_EQ(m.xid, 9U) << m.kName;
                }
            },
            decode_message(heap.span(), true));
    };
    int seen = 0;
    for (const Sample& sample : message_samples()) {
        if (!sample.in_stream || sample.bytes.data()[0] == 'E') continue;
        expect_xid(sample.bytes);
        ++seen;
    }
    EXPECT_EQ(seen, 13);
    EXPECT_EQ(error_of(Bytes{}.tag('D').u32(0).u32(kTable).tag('K').tuple({}), true), "Delete: transaction id is not set at byte 1");
}

TEST(PgoutputDecode, MessagesStandWhereTheyMay) {
    for (const Sample& sample : message_samples()) {
        const char tag = sample.bytes.data()[0];
        if (std::string_view{"BCScAbPKrp"}.find(tag) != std::string_view::npos) {
            EXPECT_NE(error_of(sample.bytes, true, sample.parallel_streaming).find("not allowed inside a streamed transaction"),
                      std::string::npos)
                << tag;
        }
    }
    EXPECT_EQ(error_of(Bytes{}.tag('E')), "Stream Stop: not allowed outside a streamed transaction at byte 0");
}

TEST(PgoutputDecode, SamplesCoverEveryKind) {
    std::set<std::size_t> kinds;
    for (const Sample& sample : message_samples()) {
        const HeapBytes heap{sample.bytes};
        const Message message = sample.decode(heap.span());
        kinds.insert(message.index());
        test::touch(message);
    }
    EXPECT_EQ(kinds.size(), std::variant_size_v<Message>);
}

TEST(PgoutputDecode, EveryTruncationOfEveryMessageIsAnErrorNotAnOverread) {
    std::size_t cuts = 0;
    for (const Sample& sample : message_samples()) {
        for (std::size_t cut = 0; cut < sample.bytes.size(); ++cut, ++cuts) {
            const HeapBytes heap{sample.bytes.first(cut)};
            EXPECT_THROW(test::touch(sample.decode(heap.span())), DecodeError)
                << "tag " << sample.bytes.data()[0] << " cut at byte " << cut;
        }
    }
    EXPECT_GT(cuts, 900U);
}

TEST(PgoutputDecode, BytesBehindAMessageAreAnError) {
    for (const Sample& sample : message_samples()) {
        for (const std::string_view garbage : {std::string_view{"\0", 1}, std::string_view{"N"}, std::string_view{"garbage garbage!"}}) {
            const HeapBytes heap{Bytes{sample.bytes}.raw(garbage)};
            EXPECT_THROW((void)sample.decode(heap.span()), DecodeError) << "tag " << sample.bytes.data()[0];
        }
    }
}

TEST(PgoutputDecode, AMissingNulIsAnError) {
    for (const char* bytes : {"4f"
                              "0000000000000099"
                              "61",
                              "52"
                              "00004000"
                              "7075",
                              "59"
                              "00004000"
                              "7000"
                              "6d6f6f64"}) {
        EXPECT_NE(error_of(Bytes::hex(bytes)).find("a string without its end"), std::string::npos) << bytes;
    }
}

TEST(PgoutputDecode, UnknownTagsAreErrors) {
    const std::string_view known = "BCORYIUDTMSEcAbPKrp";
    for (int tag = 0; tag < 256; ++tag) {
        if (known.find(static_cast<char>(tag)) != std::string_view::npos) continue;
        for (const bool in_stream : {false, true}) {
            EXPECT_NE(
                error_of(Bytes{}.u8(static_cast<std::uint8_t>(tag)).raw("0123456789abcdef0123456789abcdef"), in_stream).find("unknown tag"),
                std::string::npos)
                << tag;
        }
    }
    EXPECT_EQ(error_of(Bytes{}), "pgoutput message: too short, 1 bytes needed and 0 left at byte 0");
    EXPECT_EQ(error_of(Bytes{}.u8(0xFF)), "pgoutput message: unknown tag 0xff at byte 0");
}

TEST(PgoutputDecode, WideTuplesDecode) {
    constexpr std::int16_t kColumns = 1600;  // PostgreSQL's limit
    Bytes bytes = Bytes{}.tag('I').u32(kTable).tag('N').i16(kColumns);
    for (int i = 0; i < kColumns; ++i) bytes.raw(text(std::to_string(i)).data());
    decoded<Insert>(bytes, [](const Insert& m) {
        int i = 0;
        for (const ColumnValue& value : m.after) EXPECT_EQ(value.bytes, std::to_string(i++));
        EXPECT_EQ(i, 1600);
    });
}

}  // namespace
}  // namespace rowferry::pgoutput
