#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <poll.h>

#include "db/pg_link.h"
#include "decoder/pgoutput/head_start.h"
#include "decoder/pgoutput/messages.h"
#include "decoder/pgoutput/pg_shapes.h"
#include "decoder/pgoutput/pg_watch.h"
#include "decoder/pgoutput/spool.h"
#include "schemas/checkpoint.h"
#include "schemas/source.h"

namespace rowferry {

/// Reads a slot through the streaming replication protocol, version 2: most transactions arrive whole after their commit. Those that outgrow the
/// leader's memory arrive in segments while they run; what they are made of waits in the spool, as it came, and becomes events when the leader says
/// that they commit. They stand where they commit, in between is nothing of them, and a lost connection loses the spool: the leader begins
/// them again. Where it is allowed, one that nothing else comes in between of becomes events as it comes, besides (HeadStart). Shapes begin with those of the checkpoint and change where the log says so (PgShapes).
///
/// Positions: a transaction's is the end of its commit record. A resent one is known by its commit record starting before the checkpoint
/// (never at it: neighbouring commits touch). An idle position is the server's own decoding position between transactions.
class PgSource : public Source {
public:
    /// Another connection, from this position on, that sends no transaction before its end. Used on the source's thread.
    using ReceiveWhole = std::function<std::unique_ptr<PgLink>(std::uint64_t from)>;

    /// `link` streams from START_REPLICATION on, with the option binary if `binary`. Keeps `watch`, which looks at `shapes`.
    PgSource(std::unique_ptr<PgLink> link, std::unique_ptr<PgShapes> shapes, std::unique_ptr<PgWatch> watch, const Checkpoint& checkpoint,
             std::unique_ptr<Spool> spool, ReceiveWhole receive_whole, bool binary, bool in_progress);
    ~PgSource() override;

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { wake_fd_ = fd; }
    void cut_at(Position fence) override;
    [[nodiscard]] std::vector<TableName> take_new_tables() override { return shapes_->take_new_tables(); }
    [[nodiscard]] bool leader_waits_for_us() const override { return watch_->leader_waits_for_us(); }

private:
    using Clock = std::chrono::steady_clock;
    void read_messages(Batch& batch, std::size_t budget, std::chrono::milliseconds wait);
    /// One CopyData message into the batch. False when none has arrived.
    bool take_message(Batch& batch);
    void decode(std::span<const std::byte> message, Batch& batch);
    /// The next message of a spooled transaction that has committed, or its end, into the batch.
    void replay_message(Batch& batch);
    void spool_message(std::span<const std::byte> message);
    void run_ahead(std::span<const std::byte> message, Batch& batch);
    void begin_head_start(std::uint32_t xid, Batch& batch);
    /// What was handed over of a transaction in progress, if there is one, is void.
    void take_back(Batch& batch);
    void on(const pgoutput::Begin& begin, Batch& batch);
    void on(const pgoutput::Commit& commit, Batch& batch);
    void on(const pgoutput::Relation& relation, Batch& batch);
    void on(const pgoutput::Insert& insert, Batch& batch);
    void on(const pgoutput::Update& update, Batch& batch);
    void on(const pgoutput::Delete& remove, Batch& batch);
    void on(const pgoutput::Truncate& truncate, Batch& batch);
    void on(const pgoutput::LogicalMessage& message, Batch& batch);
    void on(const pgoutput::StreamStart& start, Batch& batch);
    void on(const pgoutput::StreamStop& stop, Batch& batch);
    void on(const pgoutput::StreamAbort& abort, Batch& batch);
    void on(const pgoutput::StreamCommit& commit, Batch& batch);
    template <typename Other>
    void on(const Other& message, Batch& batch);
    [[nodiscard]] bool changes_expected(const char* what) const;
    void idle(std::uint64_t wal_end, Batch& batch);
    void send_status();
    void listen_for_life();
    [[noreturn]] void stream_ended();

    std::unique_ptr<PgLink> link_;
    std::unique_ptr<PgShapes> shapes_;
    std::unique_ptr<PgWatch> watch_;
    std::string stream_;
    int wake_fd_ = -1;
    std::uint64_t start_;          ///< Transactions that committed before it are resent ones.
    std::uint64_t reached_;        ///< Last commit or idle position handed over.
    std::uint64_t durable_;
    bool inside_ = false;          ///< Between Begin and Commit.
    bool skipping_ = false;        ///< Inside a resent transaction.
    std::unique_ptr<Spool> spool_;
    ReceiveWhole receive_whole_;
    HeadStart head_start_;             ///< Its transaction is between its Begin and its end: `inside_`.
    bool in_progress_;                 ///< May be used.
    std::uint64_t fence_ = ~std::uint64_t{0};
    std::uint32_t streaming_ = 0;      ///< Between Stream Start and Stream Stop: whose messages these are.
    std::size_t spooled_ = 0;          ///< Bytes, by this read().
    std::unique_ptr<SpooledTransaction> replay_;  ///< Of the spool: goes first. Its Commit is `replay_end_`.
    pgoutput::Commit replay_end_;
    bool binary_;
    bool heard_ = false;               ///< In this round of read().
    bool reply_due_ = false;
    Clock::time_point last_status_{};
    Clock::time_point last_read_{};    ///< End of the last read(): while nobody reads, nothing can be heard.
    Clock::time_point last_heard_{};   ///< Something came from the leader.
};

}  // namespace rowferry
