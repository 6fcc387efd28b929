#include "decoder/pgoutput/messages.h"

#include <map>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "decoder/pgoutput/copy_data.h"
#include "tests/unit/pgoutput_bytes.h"
#include "tests/unit/pgoutput_recording.h"

namespace rowferry::pgoutput {
namespace {

using test::Bytes;
using test::HeapBytes;

/// Writes messages as lines that can be read beside the SQL they came from. Tables go by the name of their last Relation message.
class Teller {
public:
    std::string line(const Message& message) {
        const std::string rest = std::visit([this](const auto& m) { return tell(m); }, message);
        return rest.empty() ? name_of(message) : fmt::format("{} {}", name_of(message), rest);
    }

private:
    static std::string tuple(const TupleView& tuple) {
        std::string out;
        for (const ColumnValue& value : tuple) {
            if (!out.empty()) out += ' ';
            if (value.kind == ValueKind::null) {
                out += "NULL";
            } else if (value.kind == ValueKind::unchanged) {
                out += "unchanged";
            } else if (value.bytes.size() > 30) {
                out += fmt::format("{}*{}", value.bytes.front(), value.bytes.size());
            } else {
                out += fmt::format("<{}>", value.bytes);
            }
        }
        return out;
    }
    static std::string in_transaction(std::uint32_t xid) { return xid == 0 ? "" : fmt::format(" xid {}", xid); }
    std::string table(std::uint32_t id) const {
        const auto found = tables_.find(id);
        return found == tables_.end() ? "unknown table" : found->second;
    }

    static std::string tell(const Begin& m) {
        return fmt::format("{:X} xid {} at {}", m.final_lsn, m.xid, pg_to_unix_us(m.commit_time) / 1'000'000);
    }
    static std::string tell(const Commit& m) { return fmt::format("{:X} end {:X}", m.commit_lsn, m.end_lsn); }
    static std::string tell(const Origin& m) { return fmt::format("{:X} {}", m.origin_lsn, m.name); }
    std::string tell(const Relation& m) {
        tables_[m.relation_id] = m.name;
        std::string out = fmt::format("{}.{} {}", m.schema, m.name, static_cast<char>(m.identity));
        for (const RelationColumn& column : m.columns) {
            out += fmt::format(" {}{}:{}:{}", column.identity ? "*" : "", column.name, column.type_oid, column.type_modifier);
        }
        return out + in_transaction(m.xid);
    }
    static std::string tell(const Type& m) { return fmt::format("{}.{}", m.schema, m.name) + in_transaction(m.xid); }
    std::string tell(const Insert& m) { return fmt::format("{}: {}", table(m.relation_id), tuple(m.after)) + in_transaction(m.xid); }
    std::string tell(const Update& m) {
        std::string before;
        if (m.old_image != OldImage::none) before = fmt::format("{} {} -> ", static_cast<char>(m.old_image), tuple(m.before));
        return fmt::format("{}: {}{}", table(m.relation_id), before, tuple(m.after)) + in_transaction(m.xid);
    }
    std::string tell(const Delete& m) {
        return fmt::format("{}: {} {}", table(m.relation_id), static_cast<char>(m.old_image), tuple(m.before)) + in_transaction(m.xid);
    }
    std::string tell(const Truncate& m) {
        std::string out;
        for (std::size_t i = 0; i < m.size(); ++i) out += (i == 0 ? "" : " ") + table(m.relation_id(i));
        if (m.cascade) out += " cascade";
        if (m.restart_identity) out += " restart identity";
        return out + in_transaction(m.xid);
    }
    static std::string tell(const LogicalMessage& m) {
        return fmt::format("{} {:X} {}: {}", m.transactional ? "transactional" : "outside", m.lsn, m.prefix,
                           ByteReader::as_text(m.content)) +
               in_transaction(m.xid);
    }
    static std::string tell(const StreamStart& m) { return fmt::format("{}{}", m.xid, m.first_segment ? " first" : ""); }
    static std::string tell(const StreamStop&) { return ""; }
    static std::string tell(const StreamCommit& m) { return fmt::format("{} {:X} end {:X}", m.xid, m.commit_lsn, m.end_lsn); }
    static std::string tell(const StreamAbort& m) { return fmt::format("{} {}", m.xid, m.subxid); }
    static std::string prepared(std::uint32_t xid, std::string_view gid, std::uint64_t start, std::uint64_t end) {
        return fmt::format("{} '{}' {:X} end {:X}", xid, gid, start, end);
    }
    static std::string tell(const BeginPrepare& m) { return prepared(m.xid, m.gid, m.prepare_lsn, m.end_lsn); }
    static std::string tell(const Prepare& m) { return prepared(m.xid, m.gid, m.prepare_lsn, m.end_lsn); }
    static std::string tell(const StreamPrepare& m) { return prepared(m.xid, m.gid, m.prepare_lsn, m.end_lsn); }
    static std::string tell(const CommitPrepared& m) { return prepared(m.xid, m.gid, m.commit_lsn, m.end_lsn); }
    static std::string tell(const RollbackPrepared& m) {
        return prepared(m.xid, m.gid, m.prepare_end_lsn, m.rollback_end_lsn) +
               fmt::format(" {} µs later", m.rollback_time - m.prepare_time);
    }

    std::map<std::uint32_t, std::string> tables_;
};

template <typename Recording>
std::string told(const Recording& recording) {
    Teller teller;
    bool in_stream = false;
    std::string out = "\n";
    for (const char* hex : recording) {
        const HeapBytes bytes{Bytes::hex(hex)};
        const Message message = decode_message(bytes.span(), in_stream);
        if (std::holds_alternative<StreamStart>(message)) in_stream = true;
        if (std::holds_alternative<StreamStop>(message)) in_stream = false;
        out += teller.line(message) + "\n";
    }
    return out;
}

TEST(PgoutputRecording, PlainTransactionsOfARealServer) {
    EXPECT_EQ(told(test::kPlainRecording), R"(
Begin 155D158 xid 738 at 1795157129
Type public.mood
Relation public.person d *id:23:-1 name:1043:24 m:16386:-1 doc:25:-1 größe:1700:393222
Insert person: <2> <> NULL NULL <NaN>
Update person: <1> <Änne €😀> <ok> unchanged <1.50>
Update person: K <2> NULL NULL NULL NULL -> <3> <> NULL NULL <NaN>
Delete person: K <3> NULL NULL NULL NULL
Commit 155D158 end 155D188
Begin 155D518 xid 739 at 1795157129
Relation Ünï.wide table f *a:23:-1 *b:25:-1 *c:17:-1
Insert wide table: NULL <b'1> <\x00ff>
Update wide table: O NULL <b'1> <\x00ff> -> <5> <b'1> <\x00ff>
Delete wide table: O <5> <b'1> <\x00ff>
Relation public.by_index i *k:25:-1 v:23:-1
Insert by_index: <k1> <1>
Update by_index: <k1> <2>
Update by_index: K <k1> NULL -> <k2> <2>
Delete by_index: K <k2> NULL
Commit 155D518 end 155D548
Begin 155E9F0 xid 740 at 1795157129
Relation public.parent d *id:23:-1
Insert parent: <1>
Relation public.child d *id:23:-1 p:23:-1
Insert child: <1> <1>
Relation public.parent d *id:23:-1
Relation public.child d *id:23:-1 p:23:-1
Truncate parent child cascade restart identity
Message transactional 155E9F0 pre: tx ä
Commit 155E9F0 end 155EBF8
Message outside 155EC38 rowferry: beat
Begin 155EF80 xid 742 at 1767225600
Origin ABCDEF elsewhere
Relation public.parent d *id:23:-1
Insert parent: <7>
Commit 155EF80 end 155EFC8
)");
}

TEST(PgoutputRecording, AStreamedTransactionWithAnAbortedSavepoint) {
    EXPECT_EQ(told(test::kStreamRecording), R"(
Stream Start 743 first
Relation public.big d *id:23:-1 t:25:-1 xid 743
Insert big: <1> y*100 xid 743
Stream Stop
Stream Start 743
Insert big: <273> y*100 xid 743
Stream Stop
Stream Start 743
Insert big: <545> y*100 xid 743
Stream Stop
Stream Start 743
Insert big: <817> z*100 xid 744
Stream Stop
Stream Abort 743 744
Stream Start 743
Relation public.parent d *id:23:-1 xid 745
Relation public.child d *id:23:-1 p:23:-1 xid 745
Truncate parent child cascade xid 745
Relation public.big d *id:23:-1 t:25:-1 xid 745
Insert big: <1300> w*100 xid 745
Stream Stop
Stream Start 743
Insert big: <1562> w*100 xid 745
Stream Stop
Stream Commit 743 15BE050 end 15BE220
)");
}

TEST(PgoutputRecording, TwoPhaseCommitOfARealServer) {
    EXPECT_EQ(told(test::kTwoPhaseRecording), R"(
Begin Prepare 747 'gid one' 15F5A78 end 15F5B70
Relation public.parent d *id:23:-1
Insert parent: <11>
Prepare 747 'gid one' 15F5A78 end 15F5B70
Commit Prepared 747 'gid one' 15F5B70 end 15F5BB0
Begin Prepare 748 'gid two' 15F5C30 end 15F5D28
Insert parent: <12>
Prepare 748 'gid two' 15F5C30 end 15F5D28
Rollback Prepared 748 'gid two' 15F5D28 end 15F5D68 68 µs later
Stream Start 749 first
Relation public.big d *id:23:-1 t:25:-1 xid 749
Insert big: <8000> p*100 xid 749
Stream Stop
Stream Start 749
Insert big: <8272> p*100 xid 749
Stream Stop
Stream Start 749
Insert big: <8544> p*100 xid 749
Stream Stop
Stream Start 749
Insert big: <8816> p*100 xid 749
Stream Stop
Stream Prepare 749 'gid big' 162D4D0 end 162D5C8
Commit Prepared 749 'gid big' 162D5C8 end 162D608
)");
}

template <typename Recording>
void expect_truncations_fail(const Recording& recording) {
    bool in_stream = false;
    for (const char* hex : recording) {
        const Bytes whole = Bytes::hex(hex);
        const char tag = whole.data()[0];
        for (std::size_t cut = 0; cut < whole.size(); ++cut) {
            const HeapBytes bytes{whole.first(cut)};
            EXPECT_THROW((void)decode_message(bytes.span(), in_stream), DecodeError) << tag << " cut at byte " << cut;
        }
        in_stream = tag == 'S' || (in_stream && tag != 'E');
    }
}

TEST(PgoutputRecording, EveryTruncationIsAnError) {
    expect_truncations_fail(test::kPlainRecording);
    expect_truncations_fail(test::kStreamRecording);
    expect_truncations_fail(test::kTwoPhaseRecording);
}

}  // namespace
}  // namespace rowferry::pgoutput
