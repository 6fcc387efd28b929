#include "decoder/pgoutput/messages.h"
#include "schemas/value_shapes.h"

#include <fmt/format.h>


namespace rowferry::pgoutput {
namespace {

/// What the readers of single messages share: the cursor and where the message stands.
struct Context {
    ByteReader in;
    bool in_stream;
    bool parallel_streaming;

    std::uint32_t stream_xid() { return in_stream ? set_xid() : 0; }

    std::uint32_t set_xid() {
        const std::uint32_t xid = in.u32();
        if (xid == 0) in.fail_at("transaction id is not set", in.offset() - 4);
        return xid;
    }

    std::uint64_t set_lsn(const char* what) {
        const std::uint64_t lsn = in.u64();
        if (lsn == 0) in.fail_at(fmt::format("{} is not set", what), in.offset() - 8);
        return lsn;
    }

    /// The end of a record, which lies behind its start: it becomes a position, and a wrong one would lose or repeat transactions.
    std::uint64_t end_lsn(std::uint64_t start) {
        const std::uint64_t end = in.u64();
        if (end <= start) in.fail_at("end of the record is not behind its start", in.offset() - 8);
        return end;
    }

    std::uint8_t flags(std::uint8_t known) {
        const std::uint8_t flags = in.u8();
        if ((flags & ~known) != 0) in.fail_at(fmt::format("unknown flags {:#04x}", flags), in.offset() - 1);
        return flags;
    }

    void expect_tag(char tag, const char* what) {
        if (static_cast<char>(in.u8()) != tag) in.fail_at(fmt::format("no {}", what), in.offset() - 1);
    }
};

std::string_view read_name(ByteReader& in) {
    const std::size_t start = in.offset();
    const std::string_view name = in.cstring();
    if (find_bad_text(name) != std::string_view::npos) in.fail_at("a name that is not UTF-8", start);
    return name;
}

std::string_view read_schema(ByteReader& in) {
    const std::string_view schema = read_name(in);
    return schema.empty() ? std::string_view{"pg_catalog"} : schema;
}

RelationColumn read_relation_column(ByteReader& in) {
    RelationColumn column;
    const std::uint8_t flags = in.u8();
    if (flags > 1) in.fail_at(fmt::format("unknown column flags {:#04x}", flags), in.offset() - 1);
    column.identity = flags == 1;
    column.name = read_name(in);
    column.type_oid = in.u32();
    column.type_modifier = in.i32();
    return column;
}

OldImage read_old_image(ByteReader& in) {
    const auto tag = static_cast<char>(in.u8());
    if (tag != 'K' && tag != 'O') in.fail_at("no old row image", in.offset() - 1);
    return static_cast<OldImage>(tag);
}

Begin read_begin(Context& c) {
    Begin m;
    m.final_lsn = c.set_lsn("final_lsn");
    m.commit_time = c.in.i64();
    m.xid = c.set_xid();
    return m;
}

Commit read_commit(Context& c) {
    Commit m;
    c.flags(0);
    m.commit_lsn = c.set_lsn("commit_lsn");
    m.end_lsn = c.end_lsn(m.commit_lsn);
    m.commit_time = c.in.i64();
    return m;
}

Origin read_origin(Context& c) {
    Origin m;
    m.origin_lsn = c.in.u64();
    m.name = c.in.cstring();
    return m;
}

Relation read_relation(Context& c) {
    Relation m;
    m.xid = c.stream_xid();
    m.relation_id = c.in.u32();
    m.schema = read_schema(c.in);
    m.name = read_name(c.in);
    m.identity = static_cast<ReplicaIdentity>(c.in.u8());
    switch (m.identity) {
        case ReplicaIdentity::primary_key:
        case ReplicaIdentity::nothing:
        case ReplicaIdentity::full:
        case ReplicaIdentity::index:
            break;
        default:
            c.in.fail_at("unknown replica identity", c.in.offset() - 1);
    }
    m.columns = RelationColumns::read(c.in);
    return m;
}

Type read_type(Context& c) {
    Type m;
    m.xid = c.stream_xid();
    m.type_oid = c.in.u32();
    m.schema = read_schema(c.in);
    m.name = read_name(c.in);
    return m;
}

Insert read_insert(Context& c) {
    Insert m;
    m.xid = c.stream_xid();
    m.relation_id = c.in.u32();
    c.expect_tag('N', "new row");
    m.after = TupleView::read(c.in);
    return m;
}

Update read_update(Context& c) {
    Update m;
    m.xid = c.stream_xid();
    m.relation_id = c.in.u32();
    const auto tag = static_cast<char>(c.in.u8());
    if (tag == 'K' || tag == 'O') {
        m.old_image = static_cast<OldImage>(tag);
        m.before = TupleView::read(c.in);
        c.expect_tag('N', "new row");
    } else if (tag != 'N') {
        c.in.fail_at("no new row", c.in.offset() - 1);
    }
    m.after = TupleView::read(c.in);
    return m;
}

Delete read_delete(Context& c) {
    Delete m;
    m.xid = c.stream_xid();
    m.relation_id = c.in.u32();
    m.old_image = read_old_image(c.in);
    m.before = TupleView::read(c.in);
    return m;
}

Truncate read_truncate(Context& c) {
    Truncate m;
    m.xid = c.stream_xid();
    const std::size_t count = c.in.count32("table count");
    const std::uint8_t flags = c.flags(3);
    m.cascade = (flags & 1) != 0;
    m.restart_identity = (flags & 2) != 0;
    m.relation_ids = c.in.take(count * 4);
    return m;
}

LogicalMessage read_logical_message(Context& c) {
    LogicalMessage m;
    m.xid = c.stream_xid();
    m.transactional = c.flags(1) == 1;
    m.lsn = c.in.u64();
    m.prefix = c.in.cstring();
    m.content = c.in.take(c.in.count32("length of the content"));
    return m;
}

StreamStart read_stream_start(Context& c) {
    StreamStart m;
    m.xid = c.set_xid();
    m.first_segment = c.flags(1) == 1;
    return m;
}

StreamCommit read_stream_commit(Context& c) {
    StreamCommit m;
    m.xid = c.set_xid();
    c.flags(0);
    m.commit_lsn = c.set_lsn("commit_lsn");
    m.end_lsn = c.end_lsn(m.commit_lsn);
    m.commit_time = c.in.i64();
    return m;
}

StreamAbort read_stream_abort(Context& c) {
    StreamAbort m;
    m.xid = c.set_xid();
    m.subxid = c.set_xid();
    if (c.parallel_streaming) {
        m.abort_lsn = c.in.u64();
        m.abort_time = c.in.i64();
    }
    return m;
}

/// Begin Prepare, and Prepare and Stream Prepare behind their flags, look alike.
template <typename M>
M read_prepare(Context& c) {
    M m;
    m.prepare_lsn = c.set_lsn("prepare_lsn");
    m.end_lsn = c.end_lsn(m.prepare_lsn);
    m.prepare_time = c.in.i64();
    m.xid = c.set_xid();
    m.gid = c.in.cstring();
    return m;
}

CommitPrepared read_commit_prepared(Context& c) {
    CommitPrepared m;
    c.flags(0);
    m.commit_lsn = c.set_lsn("commit_lsn");
    m.end_lsn = c.end_lsn(m.commit_lsn);
    m.commit_time = c.in.i64();
    m.xid = c.set_xid();
    m.gid = c.in.cstring();
    return m;
}

RollbackPrepared read_rollback_prepared(Context& c) {
    RollbackPrepared m;
    c.flags(0);
    m.prepare_end_lsn = c.set_lsn("prepare_end_lsn");
    m.rollback_end_lsn = c.set_lsn("rollback_end_lsn");
    m.prepare_time = c.in.i64();
    m.rollback_time = c.in.i64();
    m.xid = c.set_xid();
    m.gid = c.in.cstring();
    return m;
}

template <typename M>
M read_flagged_prepare(Context& c) {
    c.flags(0);
    return read_prepare<M>(c);
}

StreamStop read_stream_stop(Context&) { return {}; }

/// Between Stream Start and Stream Stop only changes and what explains them may stand; the rest of the protocol stands outside.
enum class Place { anywhere, outside, inside };

struct Decoder {
    std::span<const std::byte> message;
    bool in_stream;
    bool parallel_streaming;

    template <typename M>
    Message decode(Place place, M (*read)(Context&)) const {
        Context context{ByteReader{message, M::kName}, in_stream, parallel_streaming};
        if (place != Place::anywhere && in_stream != (place == Place::inside)) {
            context.in.fail(in_stream ? "not allowed inside a streamed transaction" : "not allowed outside a streamed transaction");
        }
        context.in.u8();  // the tag
        M result = read(context);
        context.in.expect_end();
        return result;
    }
};

}  // namespace

RelationColumns RelationColumns::read(ByteReader& in) {
    RelationColumns columns;
    columns.count_ = in.count16("column count");
    const std::size_t start = in.offset();
    for (std::size_t i = 0; i < columns.count_; ++i) read_relation_column(in);
    columns.columns_ = in.since(start);
    return columns;
}

RelationColumns::Iterator::Iterator(std::span<const std::byte> columns, std::size_t count) : in_{columns, "Relation column"}, left_{count} {
    if (left_ != 0) column_ = read_relation_column(in_);
}

void RelationColumns::Iterator::step() {
    if (--left_ != 0) column_ = read_relation_column(in_);
}

std::uint32_t Truncate::relation_id(std::size_t index) const {
    ByteReader in{relation_ids, kName};
    in.take(index > size() ? relation_ids.size() : index * 4);
    return in.u32();
}

Message decode_message(std::span<const std::byte> message, bool in_stream, bool parallel_streaming) {
    const auto tag = static_cast<char>(ByteReader{message, "pgoutput message"}.u8());
    const Decoder d{message, in_stream, parallel_streaming};
    switch (tag) {
        case Begin::kTag: return d.decode(Place::outside, read_begin);
        case Commit::kTag: return d.decode(Place::outside, read_commit);
        case Origin::kTag: return d.decode(Place::anywhere, read_origin);
        case Relation::kTag: return d.decode(Place::anywhere, read_relation);
        case Type::kTag: return d.decode(Place::anywhere, read_type);
        case Insert::kTag: return d.decode(Place::anywhere, read_insert);
        case Update::kTag: return d.decode(Place::anywhere, read_update);
        case Delete::kTag: return d.decode(Place::anywhere, read_delete);
        case Truncate::kTag: return d.decode(Place::anywhere, read_truncate);
        case LogicalMessage::kTag: return d.decode(Place::anywhere, read_logical_message);
        case StreamStart::kTag: return d.decode(Place::outside, read_stream_start);
        case StreamStop::kTag: return d.decode(Place::inside, read_stream_stop);
        case StreamCommit::kTag: return d.decode(Place::outside, read_stream_commit);
        case StreamAbort::kTag: return d.decode(Place::outside, read_stream_abort);
        case BeginPrepare::kTag: return d.decode(Place::outside, read_prepare<BeginPrepare>);
        case Prepare::kTag: return d.decode(Place::outside, read_flagged_prepare<Prepare>);
        case CommitPrepared::kTag: return d.decode(Place::outside, read_commit_prepared);
        case RollbackPrepared::kTag: return d.decode(Place::outside, read_rollback_prepared);
        case StreamPrepare::kTag: return d.decode(Place::outside, read_flagged_prepare<StreamPrepare>);
        default:
            throw DecodeError{fmt::format("pgoutput message: unknown tag {:#04x} at byte 0", static_cast<unsigned char>(tag))};
    }
}

std::uint32_t subtransaction_of(std::span<const std::byte> message) {
    Context c{ByteReader{message, "streamed message"}, true, false};
    const auto tag = static_cast<char>(c.in.u8());
    switch (tag) {
        case Relation::kTag:
        case Type::kTag:
        case Insert::kTag:
        case Update::kTag:
        case Delete::kTag:
        case Truncate::kTag:
        case LogicalMessage::kTag: return c.stream_xid();
        case Origin::kTag: return 0;
        default: c.in.fail_at(fmt::format("tag {:#04x} is not allowed inside a streamed transaction", static_cast<unsigned char>(tag)), 0);
    }
}

const char* name_of(const Message& message) {
    return std::visit([](const auto& m) { return m.kName; }, message);
}

}  // namespace rowferry::pgoutput
