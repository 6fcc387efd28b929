#pragma once

// PostgreSQL's logical replication messages as the pgoutput plugin of versions 15 to 17 sends them, protocol versions 1 to 4.
// Integers are big-endian, `cstr` ends with a NUL byte, lsn is u64, time is i64 (µs since 2000-01-01 00:00 UTC).
// xid? is there between Stream Start and Stream Stop and nowhere else, whatever the protocol version.
//
//   Begin             := 'B' final:lsn time xid:u32                         -- final is where the commit record starts
//   Commit            := 'C' flags:u8(0) commit:lsn end:lsn time
//   Origin            := 'O' commit:lsn name:cstr
//   Relation          := 'R' xid? relation:u32 schema:cstr name:cstr identity:('d'|'n'|'f'|'i') ncols:i16 rcolumn*
//     rcolumn         :=     flags:u8(1 = part of the identity) name:cstr type:u32 typmod:i32
//   Type              := 'Y' xid? type:u32 schema:cstr name:cstr
//   Insert            := 'I' xid? relation:u32 'N' tuple
//   Update            := 'U' xid? relation:u32 (('K' | 'O') tuple)? 'N' tuple
//   Delete            := 'D' xid? relation:u32 ('K' | 'O') tuple
//   Truncate          := 'T' xid? nrels:i32 flags:u8(1 = cascade, 2 = restart identity) relation:u32*
//   LogicalMessage    := 'M' xid? flags:u8(1 = transactional) lsn prefix:cstr length:i32 byte[length]
//   StreamStart       := 'S' xid:u32 first:u8(1 = first segment)
//   StreamStop        := 'E'
//   StreamCommit      := 'c' xid:u32 flags:u8(0) commit:lsn end:lsn time
//   StreamAbort       := 'A' xid:u32 subxid:u32 (abort:lsn time)?           -- the second half with streaming=parallel only
//   BeginPrepare      := 'b' prepare:lsn end:lsn time xid:u32 gid:cstr
//   Prepare           := 'P' flags:u8(0) prepare:lsn end:lsn time xid:u32 gid:cstr
//   CommitPrepared    := 'K' flags:u8(0) commit:lsn end:lsn time xid:u32 gid:cstr
//   RollbackPrepared  := 'r' flags:u8(0) prepare_end:lsn rollback_end:lsn prepare_time rollback_time xid:u32 gid:cstr
//   StreamPrepare     := 'p' flags:u8(0) prepare:lsn end:lsn time xid:u32 gid:cstr
//
// An empty schema name in Relation and Type stands for pg_catalog. tuple: see tuple_view.h.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <variant>

#include "decoder/byte_reader.h"
#include "decoder/pgoutput/tuple_view.h"

namespace rowferry::pgoutput {

// All structs are views: strings and tuples point into the message and live as long as it.
// `xid` of the messages with xid? is that of the subtransaction inside a streamed transaction, and 0 outside.
// Times are as on the wire: pg_to_unix_us() in copy_data.h turns them.

struct Begin {
    static constexpr char kTag = 'B';
    static constexpr const char* kName = "Begin";
    std::uint64_t final_lsn = 0;  ///< Where the commit record starts. Not the transaction's position, which only Commit knows.
    std::int64_t commit_time = 0;
    std::uint32_t xid = 0;
};

struct Commit {
    static constexpr char kTag = 'C';
    static constexpr const char* kName = "Commit";
    std::uint64_t commit_lsn = 0;  ///< Where the commit record starts.
    std::uint64_t end_lsn = 0;     ///< The transaction's position: behind the commit record.
    std::int64_t commit_time = 0;
};

struct Origin {
    static constexpr char kTag = 'O';
    static constexpr const char* kName = "Origin";
    std::uint64_t origin_lsn = 0;
    std::string_view name;  ///< Not checked to be UTF-8.
};

enum class ReplicaIdentity : char { primary_key = 'd', nothing = 'n', full = 'f', index = 'i' };

struct RelationColumn {
    bool identity = false;  ///< Part of the replica identity; under full every column is.
    std::string_view name;
    std::uint32_t type_oid = 0;
    std::int32_t type_modifier = -1;
};

/// The columns of a Relation message, checked once and walked without allocation.
class RelationColumns {
public:
    RelationColumns() = default;
    static RelationColumns read(ByteReader& in);

    [[nodiscard]] std::size_t size() const noexcept { return count_; }

    class Iterator {
    public:
        const RelationColumn& operator*() const noexcept { return column_; }
        const RelationColumn* operator->() const noexcept { return &column_; }
        Iterator& operator++() {
            step();
            return *this;
        }
        friend bool operator==(const Iterator& a, std::default_sentinel_t) noexcept { return a.left_ == 0; }

    private:
        friend class RelationColumns;
        Iterator(std::span<const std::byte> columns, std::size_t count);
        void step();

        ByteReader in_;
        std::size_t left_ = 0;
        RelationColumn column_;
    };
    [[nodiscard]] Iterator begin() const { return Iterator{columns_, count_}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    std::span<const std::byte> columns_;
    std::size_t count_ = 0;
};

/// The shape of a table from here on. Schema, table and column names are checked to be UTF-8.
struct Relation {
    static constexpr char kTag = 'R';
    static constexpr const char* kName = "Relation";
    std::uint32_t xid = 0;
    std::uint32_t relation_id = 0;
    std::string_view schema;  ///< "pg_catalog" is put in where the wire has its empty short form.
    std::string_view name;
    ReplicaIdentity identity = ReplicaIdentity::primary_key;
    RelationColumns columns;
};

/// Name of a type that a user made. Informative.
struct Type {
    static constexpr char kTag = 'Y';
    static constexpr const char* kName = "Type";
    std::uint32_t xid = 0;
    std::uint32_t type_oid = 0;
    std::string_view schema;
    std::string_view name;
};

struct Insert {
    static constexpr char kTag = 'I';
    static constexpr const char* kName = "Insert";
    std::uint32_t xid = 0;
    std::uint32_t relation_id = 0;
    TupleView after;
};

/// What a row looked like before, as far as the leader says.
enum class OldImage : char {
    none = 0,    ///< Update only: the identity did not change.
    key = 'K',   ///< Identity columns; all others are null on the wire, which means "not sent".
    full = 'O',  ///< All columns (replica identity full).
};

struct Update {
    static constexpr char kTag = 'U';
    static constexpr const char* kName = "Update";
    std::uint32_t xid = 0;
    std::uint32_t relation_id = 0;
    OldImage old_image = OldImage::none;
    TupleView before;  ///< No columns for OldImage::none.
    TupleView after;
};

struct Delete {
    static constexpr char kTag = 'D';
    static constexpr const char* kName = "Delete";
    std::uint32_t xid = 0;
    std::uint32_t relation_id = 0;
    OldImage old_image = OldImage::key;  ///< Never none.
    TupleView before;
};

/// Several tables by one statement.
struct Truncate {
    static constexpr char kTag = 'T';
    static constexpr const char* kName = "Truncate";
    std::uint32_t xid = 0;
    bool cascade = false;
    bool restart_identity = false;
    [[nodiscard]] std::size_t size() const noexcept { return relation_ids.size() / 4; }
    [[nodiscard]] std::uint32_t relation_id(std::size_t index) const;  ///< Throws DecodeError at or beyond size().
    std::span<const std::byte> relation_ids;                           ///< As on the wire, four bytes each.
};

/// pg_logical_emit_message(). One that is not transactional arrives outside Begin and Commit.
struct LogicalMessage {
    static constexpr char kTag = 'M';
    static constexpr const char* kName = "Message";
    std::uint32_t xid = 0;
    bool transactional = false;
    std::uint64_t lsn = 0;
    std::string_view prefix;  ///< Not checked to be UTF-8, as the content.
    std::span<const std::byte> content;
};

struct StreamStart {
    static constexpr char kTag = 'S';
    static constexpr const char* kName = "Stream Start";
    std::uint32_t xid = 0;
    bool first_segment = false;
};

struct StreamStop {
    static constexpr char kTag = 'E';
    static constexpr const char* kName = "Stream Stop";
};

struct StreamCommit {
    static constexpr char kTag = 'c';
    static constexpr const char* kName = "Stream Commit";
    std::uint32_t xid = 0;
    std::uint64_t commit_lsn = 0;
    std::uint64_t end_lsn = 0;
    std::int64_t commit_time = 0;
};

struct StreamAbort {
    static constexpr char kTag = 'A';
    static constexpr const char* kName = "Stream Abort";
    std::uint32_t xid = 0;
    std::uint32_t subxid = 0;      ///< The same as xid when the whole transaction aborts.
    std::uint64_t abort_lsn = 0;   ///< 0 unless streaming=parallel.
    std::int64_t abort_time = 0;   ///< 0 unless streaming=parallel.
};

struct BeginPrepare {
    static constexpr char kTag = 'b';
    static constexpr const char* kName = "Begin Prepare";
    std::uint64_t prepare_lsn = 0;
    std::uint64_t end_lsn = 0;
    std::int64_t prepare_time = 0;
    std::uint32_t xid = 0;
    std::string_view gid;
};

struct Prepare {
    static constexpr char kTag = 'P';
    static constexpr const char* kName = "Prepare";
    std::uint64_t prepare_lsn = 0;
    std::uint64_t end_lsn = 0;
    std::int64_t prepare_time = 0;
    std::uint32_t xid = 0;
    std::string_view gid;
};

struct CommitPrepared {
    static constexpr char kTag = 'K';
    static constexpr const char* kName = "Commit Prepared";
    std::uint64_t commit_lsn = 0;
    std::uint64_t end_lsn = 0;
    std::int64_t commit_time = 0;
    std::uint32_t xid = 0;
    std::string_view gid;
};

struct RollbackPrepared {
    static constexpr char kTag = 'r';
    static constexpr const char* kName = "Rollback Prepared";
    std::uint64_t prepare_end_lsn = 0;
    std::uint64_t rollback_end_lsn = 0;
    std::int64_t prepare_time = 0;
    std::int64_t rollback_time = 0;
    std::uint32_t xid = 0;
    std::string_view gid;
};

/// A streamed transaction was prepared.
struct StreamPrepare {
    static constexpr char kTag = 'p';
    static constexpr const char* kName = "Stream Prepare";
    std::uint64_t prepare_lsn = 0;
    std::uint64_t end_lsn = 0;
    std::int64_t prepare_time = 0;
    std::uint32_t xid = 0;
    std::string_view gid;
};

using Message =
    std::variant<Begin, Commit, Origin, Relation, Type, Insert, Update, Delete, Truncate, LogicalMessage, StreamStart, StreamStop,
                 StreamCommit, StreamAbort, BeginPrepare, Prepare, CommitPrepared, RollbackPrepared, StreamPrepare>;

/// Decodes one whole message: the payload of one XLogData. `in_stream`: it stands between Stream Start and Stream Stop, so that it
/// carries an xid and only some kinds may come. `parallel_streaming`: the stream was started with streaming=parallel.
/// Throws DecodeError for an unknown tag, a short message, bytes behind its end, negative or oversized lengths, unknown flags,
/// positions that are not set, names that are not UTF-8. Allocates nothing.
[[nodiscard]] Message decode_message(std::span<const std::byte> message, bool in_stream = false, bool parallel_streaming = false);

/// The subtransaction that a message between Stream Start and Stream Stop belongs to; 0 for one that says nothing of it (Origin). Looks at no more
/// than that. Throws DecodeError for a message that may not stand there, or ends before.
[[nodiscard]] std::uint32_t subtransaction_of(std::span<const std::byte> message);

/// `Insert`, `Stream Start`: for messages to people.
[[nodiscard]] const char* name_of(const Message& message);

}  // namespace rowferry::pgoutput
