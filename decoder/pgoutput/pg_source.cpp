#include "decoder/pgoutput/pg_source.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "decoder/pgoutput/copy_data.h"
#include "decoder/pgoutput/tuple_cells.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// Well below half of the default wal_sender_timeout of 60 s, after which the server asks, and below any sensible smaller one.
constexpr std::chrono::seconds kStatusInterval{1};
// An idle server says nothing as long as it hears from us, so we ask, and give up on one that answers to nothing. It does not answer while it
// works through a large transaction that is not ours, so not too soon.
constexpr std::chrono::seconds kAskAfter{10};
constexpr std::chrono::seconds kGoneAfter{60};
// What is sent of a transaction in progress is taken in pieces: nobody waits for it, and a wake-up for every message costs as much as the message.
constexpr std::chrono::microseconds kSpoolNap{250};

}  // namespace

PgSource::PgSource(std::unique_ptr<PgLink> link, std::unique_ptr<PgShapes> shapes, std::unique_ptr<PgWatch> watch, const Checkpoint& checkpoint,
                   std::unique_ptr<Spool> spool, ReceiveWhole receive_whole, bool binary, bool in_progress)
    : link_{std::move(link)},
      shapes_{std::move(shapes)},
      watch_{std::move(watch)},
      stream_{checkpoint.stream},
      start_{checkpoint.position.major},
      reached_{checkpoint.position.major},
      durable_{checkpoint.position.major},
      spool_{std::move(spool)},
      receive_whole_{std::move(receive_whole)},
      in_progress_{in_progress},
      binary_{binary} {
    if (binary_) shapes_->expect_binary();
}

PgSource::~PgSource() {
    // A clean end tells the server, so that the slot is free at once; on errors the connection just closes.
    if (link_ && PQputCopyEnd(link_->get(), nullptr) == 1) PQflush(link_->get());
}

void PgSource::cut_at(Position fence) {
    fence_ = fence.major;
    shapes_->cut_at(fence);
}

void PgSource::read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) {
    watch_->look_if_due();
    if (shapes_->take_unknown()) watch_->look_soon();
    if (watch_->leader_waits_for_us()) take_back(batch);
    if (Clock::now() - last_read_ > kAskAfter) last_heard_ = Clock::now();
    read_messages(batch, budget, wait);
    last_read_ = Clock::now();
}

/// A leader that is frozen, or behind something that answers for it, keeps its connection open and says nothing.
void PgSource::listen_for_life() {
    const auto silence = Clock::now() - last_heard_;
    if (silence > kGoneAfter)
        throw RetryableError{fmt::format("the leader has not answered for {} s", std::chrono::duration_cast<std::chrono::seconds>(silence).count())};
}

void PgSource::read_messages(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) {
    const auto deadline = Clock::now() + wait;
    const std::size_t before = batch.size_bytes();
    for (;;) {
        spooled_ = 0;
        heard_ = false;
        while (batch.size_bytes() + spooled_ < budget) {
            if (replay_)
                replay_message(batch);
            else if (!take_message(batch))
                break;
        }
        const auto now = Clock::now();
        if (heard_) last_heard_ = now;
        if (reply_due_ || now - last_status_ >= kStatusInterval) send_status();
        if (batch.size_bytes() > before) return;
        if (spooled_ > 0) {
            if (!replay_) std::this_thread::sleep_for(kSpoolNap);
            return;
        }
        listen_for_life();
        if (head_start_.is_silent(now)) return take_back(batch);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return;
        pollfd woken{wake_fd_, POLLIN, 0};
        if (wake_fd_ >= 0 && ::poll(&woken, 1, 0) > 0) return;
        link_->wait(wake_fd_, std::min(left, std::chrono::milliseconds{kStatusInterval}));
        if (PQconsumeInput(link_->get()) == 0) link_->fail("the replication stream");
    }
}

bool PgSource::take_message(Batch& batch) {
    char* buffer = nullptr;
    int size = PQgetCopyData(link_->get(), &buffer, 1);
    if (size == 0) {
        if (PQconsumeInput(link_->get()) == 0) link_->fail("the replication stream");
        size = PQgetCopyData(link_->get(), &buffer, 1);
    }
    if (size == 0) return false;
    if (size < 0) stream_ended();
    heard_ = true;
    const std::unique_ptr<char, decltype(&PQfreemem)> owned{buffer, &PQfreemem};
    const auto message = pgoutput::decode_copy_data(pgoutput::as_bytes({buffer, static_cast<std::size_t>(size)}));
    if (const auto* data = std::get_if<pgoutput::XLogData>(&message)) {
        decode(data->payload, batch);
        return true;
    }
    const auto& keepalive = std::get<pgoutput::Keepalive>(message);
    reply_due_ = reply_due_ || keepalive.reply_requested;
    idle(keepalive.wal_end, batch);
    return true;
}

void PgSource::stream_ended() {
    const PgResult result = link_->next_result();
    if (result) PgLink::check(result.get(), link_->get(), "the replication stream");
    throw RetryableError{"the leader ended the replication stream"};
}

void PgSource::decode(std::span<const std::byte> message, Batch& batch) {
    if (streaming_ != 0 && static_cast<char>(message.empty() ? std::byte{} : message.front()) != pgoutput::StreamStop::kTag) {
        spool_message(message);
        if (head_start_.is_on()) run_ahead(message, batch);
        return;
    }
    const pgoutput::Message decoded = pgoutput::decode_message(message, streaming_ != 0);
    std::visit([&](const auto& m) { on(m, batch); }, decoded);
}

void PgSource::spool_message(std::span<const std::byte> message) {
    if (!head_start_.is_on()) spooled_ += message.size();
    const std::uint32_t subxid = pgoutput::subtransaction_of(message);
    if (subxid == 0) return;  // Origin, which tells nothing that we need
    if (static_cast<char>(message.front()) != pgoutput::LogicalMessage::kTag) return spool_->append(streaming_, subxid, message);
    const pgoutput::Message decoded = pgoutput::decode_message(message, true);
    if (std::get<pgoutput::LogicalMessage>(decoded).prefix == pgoutput::kDdlPrefix) spool_->append_unattributed(streaming_, message);
}

/// Rows of tables as they were when the transaction began, nothing else.
void PgSource::run_ahead(std::span<const std::byte> message, Batch& batch) {
    head_start_.heard(Clock::now());
    const pgoutput::Message decoded = pgoutput::decode_message(message, true);
    const auto* relation = std::get_if<pgoutput::Relation>(&decoded);
    const auto* application = std::get_if<pgoutput::LogicalMessage>(&decoded);
    const bool changes_shape = (relation != nullptr && !shapes_->is_as_known(*relation)) || (application != nullptr && application->prefix == pgoutput::kDdlPrefix);
    // The follower's readers would have to wait for the end of a truncate.
    if (changes_shape || std::holds_alternative<pgoutput::Truncate>(decoded)) return take_back(batch);
    const std::size_t before = batch.size_bytes();
    std::visit([&](const auto& m) { on(m, batch); }, decoded);
    // What makes no row is work too, and the leader has to hear of us in between.
    if (batch.size_bytes() == before) spooled_ += message.size();
}

void PgSource::begin_head_start(std::uint32_t xid, Batch& batch) {
    if (!in_progress_ || spool_->open_transactions() > 1 || watch_->leader_waits_for_us() || !head_start_.is_worth_it()) return;
    head_start_.begin(xid);
    inside_ = true;
    shapes_->begin(reached_);
    batch.add(Begin{{reached_, 0}, xid, Boundary::exact, true});
    spdlog::debug("stream {}: transaction {} goes to the follower while it runs", stream_, xid);
}

void PgSource::take_back(Batch& batch) {
    if (!head_start_.is_on()) return;
    spdlog::debug("stream {}: transaction {} is taken back on the follower until it ends", stream_, head_start_.xid());
    head_start_.taken_back();
    inside_ = false;
    batch.add(TakenBack{});
}

void PgSource::replay_message(Batch& batch) {
    if (const auto message = replay_->next()) {
        const std::size_t before = batch.size_bytes();
        const pgoutput::Message decoded = pgoutput::decode_message(*message, true);
        std::visit([&](const auto& m) { on(m, batch); }, decoded);
        // Rows that are passed over are work too: the leader has to hear of us in between.
        if (batch.size_bytes() == before) spooled_ += message->size();
        return;
    }
    replay_.reset();
    last_heard_ = Clock::now();  // nobody listened
    on(replay_end_, batch);
}

void PgSource::on(const pgoutput::StreamStart& start, Batch& batch) {
    if (head_start_.xid() != start.xid) take_back(batch);
    if (inside_ && !head_start_.is_on()) throw DecodeError{fmt::format("stream {}: Stream Start inside a transaction", stream_)};
    spool_->begin(start.xid, start.first_segment);
    if (start.first_segment) begin_head_start(start.xid, batch);
    streaming_ = start.xid;
}

void PgSource::on(const pgoutput::StreamStop&, Batch&) { streaming_ = 0; }

void PgSource::on(const pgoutput::StreamAbort& abort, Batch& batch) {
    take_back(batch);
    if (spool_->abort(abort.xid, abort.subxid)) return;
    // Whether a change of shape was rolled back as well only the leader knows, which leaves such changes out of whole transactions.
    spdlog::info("stream {}: a large transaction rolls back to a savepoint close to a change of shape: it is received again after its end", stream_);
    spool_->clear();
    link_.reset();
    link_ = receive_whole_(reached_);
    shapes_->reconnected();
    start_ = reached_;
    last_status_ = {};
    last_heard_ = Clock::now();
}

/// From here on it is a transaction like any other. One that is resent is read all the same: its Relation messages count from here on.
void PgSource::on(const pgoutput::StreamCommit& commit, Batch& batch) {
    auto transaction = spool_->take(commit.xid);
    // Whatever is told apart by the place of the commit record was not told apart.
    if (head_start_.xid() != commit.xid || commit.commit_lsn < start_ || commit.commit_lsn >= fence_) take_back(batch);
    if (head_start_.is_on()) {
        head_start_.succeeded();
        return on(pgoutput::Commit{commit.commit_lsn, commit.end_lsn, commit.commit_time}, batch);
    }
    on(pgoutput::Begin{commit.commit_lsn, commit.commit_time, commit.xid}, batch);
    replay_end_ = {commit.commit_lsn, commit.end_lsn, commit.commit_time};
    replay_ = std::move(transaction);
}

void PgSource::idle(std::uint64_t wal_end, Batch& batch) {
    // Everything that committed before has been sent, as the server sends in order; it becomes durable behind it in the queue.
    // Of a streamed transaction that has not committed nothing is to be durable: the leader begins it again at its first change.
    if (streaming_ == 0 && wal_end >= fence_) take_back(batch);
    if (inside_ || streaming_ != 0 || wal_end <= reached_) return;
    shapes_->check(wal_end);
    reached_ = wal_end;
    batch.add_idle({wal_end, 0});
}

bool PgSource::changes_expected(const char* what) const {
    if (!inside_ || (head_start_.is_on() && streaming_ == 0)) throw DecodeError{fmt::format("stream {}: {} outside a transaction", stream_, what)};
    return !skipping_;
}

void PgSource::on(const pgoutput::Begin& begin, Batch& batch) {
    take_back(batch);
    if (inside_) throw DecodeError{fmt::format("stream {}: Begin inside a transaction", stream_)};
    inside_ = true;
    skipping_ = begin.final_lsn < start_;
    shapes_->begin(begin.final_lsn);
    if (!skipping_) batch.add(Begin{{begin.final_lsn, 0}, begin.xid, Boundary::exact});
}

void PgSource::on(const pgoutput::Commit& commit, Batch& batch) {
    if (!inside_) throw DecodeError{fmt::format("stream {}: Commit without Begin", stream_)};
    inside_ = false;
    if (std::exchange(skipping_, false)) return;
    if (commit.end_lsn <= reached_)
        throw DecodeError{fmt::format("stream {}: a transaction ends at {}, which is not after {}", stream_, lsn_to_string(commit.end_lsn), lsn_to_string(reached_))};
    shapes_->finish(batch);
    shapes_->check(commit.end_lsn);
    reached_ = commit.end_lsn;
    batch.add(Commit{{commit.end_lsn, 0}, pgoutput::pg_to_unix_us(commit.commit_time), {}});
}

void PgSource::on(const pgoutput::Relation& relation, Batch&) { shapes_->announce(relation); }

void PgSource::on(const pgoutput::Insert& insert, Batch& batch) {
    if (!changes_expected("Insert")) return;
    const TablePtr* known = shapes_->table(insert.relation_id, batch);
    if (known == nullptr) return;
    const TablePtr& target = *known;
    const auto after = pgoutput::tuple_cells(insert.after, pgoutput::TupleRole::inserted, *target, batch.arena(), binary_);
    batch.add(Change{batch.keep(target), Operation::insert, {}, after});
}

void PgSource::on(const pgoutput::Update& update, Batch& batch) {
    if (!changes_expected("Update")) return;
    const TablePtr* known = shapes_->table(update.relation_id, batch);
    if (known == nullptr) return;
    const TablePtr& target = *known;
    std::span<const Cell> before;
    if (update.old_image != pgoutput::OldImage::none) {
        const auto role = update.old_image == pgoutput::OldImage::key ? pgoutput::TupleRole::old_key : pgoutput::TupleRole::old_full;
        before = pgoutput::tuple_cells(update.before, role, *target, batch.arena(), binary_);
    } else if (target->identity.empty()) {
        throw HaltError{fmt::format("stream {}, table {}: an update without an old row, though the table has no key", stream_, to_string(target->name))};
    }
    const auto after = pgoutput::tuple_cells(update.after, pgoutput::TupleRole::updated, *target, batch.arena(), binary_);
    batch.add(Change{batch.keep(target), Operation::update, before, after});
}

void PgSource::on(const pgoutput::Delete& remove, Batch& batch) {
    if (!changes_expected("Delete")) return;
    const TablePtr* known = shapes_->table(remove.relation_id, batch);
    if (known == nullptr) return;
    const TablePtr& target = *known;
    const auto role = remove.old_image == pgoutput::OldImage::key ? pgoutput::TupleRole::old_key : pgoutput::TupleRole::old_full;
    batch.add(Change{batch.keep(target), Operation::remove, pgoutput::tuple_cells(remove.before, role, *target, batch.arena(), binary_), {}});
}

void PgSource::on(const pgoutput::Truncate& truncate, Batch& batch) {
    if (!changes_expected("Truncate")) return;
    const std::span<const TableSchema*> tables = batch.arena().array<const TableSchema*>(truncate.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < truncate.size(); ++i)
        if (const TablePtr* known = shapes_->table(truncate.relation_id(i), batch)) tables[count++] = batch.keep(*known);
    if (count > 0) batch.add(Truncate{tables.first(count), truncate.cascade, truncate.restart_identity});
}

/// Those of other applications pass by.
void PgSource::on(const pgoutput::LogicalMessage& message, Batch& batch) {
    if (!message.transactional || message.prefix != pgoutput::kDdlPrefix) return;
    if (changes_expected("Message")) shapes_->report(pgoutput::parse_ddl_message(message.content), batch);
}

/// Type and Origin tell nothing that we need. The others are only sent to a client that asks for two-phase commit.
template <typename Other>
void PgSource::on(const Other&, Batch&) {
    if constexpr (!std::is_same_v<Other, pgoutput::Type> && !std::is_same_v<Other, pgoutput::Origin>)
        throw DecodeError{fmt::format("stream {}: a {} message, which was not asked for", stream_, Other::kName)};
}

void PgSource::report(Position durable) {
    const bool moved = durable.major > durable_;
    durable_ = std::max(durable_, durable.major);
    if (moved || reply_due_ || Clock::now() - last_status_ >= kStatusInterval) send_status();
}

void PgSource::send_status() {
    if (!link_) return;  // a stop came while it was opened again
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
    // A leader whose commits wait for `remote_write` counts on the written position, and until it is durable here nothing is kept anywhere.
    const auto status = pgoutput::encode_status_update(durable_, durable_, durable_, pgoutput::unix_to_pg_us(now.count()),
                                                          Clock::now() - last_heard_ > kAskAfter);
    link_->put_copy({status.data(), status.size()});
    link_->flush();
    reply_due_ = false;
    last_status_ = Clock::now();
}

}  // namespace rowferry
