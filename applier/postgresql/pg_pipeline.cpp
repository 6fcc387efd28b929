#include "applier/postgresql/pg_pipeline.h"

namespace rowferry {
namespace {
// Two segments may be under way: about half a megabyte. Larger ones measured no faster.
constexpr std::size_t kSegmentBytes = 256 * 1024;
// Results are held by the sockets until they are read; a row's is about 30 bytes.
constexpr std::size_t kSegmentStatements = 2000;
// What the protocol adds to each statement.
constexpr std::size_t kStatementBytes = 64;
}  // namespace

void PgPipeline::enter() {
    if (active_) return;
    if (PQenterPipelineMode(link_.get()) == 0) link_.fail("pipeline");
    active_ = true;
}

void PgPipeline::control(const char* sql, Pending::Kind kind, std::uint32_t event) {
    enter();
    if (PQsendQueryParams(link_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) link_.fail("sending");
    Pending pending;
    pending.kind = kind;
    pending.event = event;
    queued(kStatementBytes, pending);
}

void PgPipeline::send(PgStatement& statement, std::span<const char* const> values, std::span<const int> lengths, std::span<const int> formats,
                      const Pending& pending) {
    enter();
    static_assert(sizeof(Oid) == sizeof(std::uint32_t));
    const int count = static_cast<int>(values.size());
    std::size_t bytes = kStatementBytes;
    for (const int length : lengths) bytes += static_cast<std::size_t>(length) + 6;
    if (statement.name.empty()) {
        if (PQsendQueryParams(link_.get(), statement.sql.c_str(), count, statement.types.data(), values.data(), lengths.data(),
                              formats.data(), 0) == 0)
            link_.fail("sending");
        bytes += statement.sql.size();
    } else {
        if (!statement.prepared) {
            if (PQsendPrepare(link_.get(), statement.name.c_str(), statement.sql.c_str(), count, statement.types.data()) == 0)
                link_.fail("preparing");
            statement.prepared = true;
            Pending preparation = pending;
            preparation.kind = Pending::Kind::prepare;
            preparation.prepares = &statement;
            queued(statement.sql.size() + kStatementBytes, preparation);
            enter();
        }
        if (PQsendQueryPrepared(link_.get(), statement.name.c_str(), count, values.data(), lengths.data(), formats.data(), 0) ==
            0)
            link_.fail("sending");
    }
    queued(bytes, pending);
}

void PgPipeline::queued(std::size_t bytes, const Pending& pending) {
    pending_.push_back(pending);
    bytes_ += bytes;
    if (bytes_ < kSegmentBytes && ++statements_ < kSegmentStatements) return;
    close_segment();
    if (segments_ > 1) read_segment();
}

void PgPipeline::close_segment() {
    if (PQpipelineSync(link_.get()) == 0) link_.fail("sending");
    Pending sync;
    sync.kind = Pending::Kind::sync;
    pending_.push_back(sync);
    ++segments_;
    bytes_ = 0;
    statements_ = 0;
    link_.flush();
}

void PgPipeline::read_segment() {
    for (;;) {
        const Pending pending = pending_[first_];
        const PgResult result = link_.next_result();
        if (!result) link_.fail("reading a result");
        if (pending.kind == Pending::Kind::sync) {
            PgLink::check(result.get(), link_.get(), "pipeline");
            ++first_;
            break;
        }
        handler_(pending, result.get());
        ++first_;
        // The end of one statement's results.
        if (const PgResult end = link_.next_result()) link_.fail("more results than statements");
    }
    --segments_;
    // Moves at most what the open segment holds.
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
}

void PgPipeline::finish() {
    if (!active_) return;
    if (!pending_.empty() && pending_.back().kind != Pending::Kind::sync) close_segment();
    while (segments_ > 0) read_segment();
    if (PQexitPipelineMode(link_.get()) == 0) link_.fail("pipeline");
    active_ = false;
}

bool PgPipeline::abandon() noexcept {
    for (; first_ < pending_.size(); ++first_)
        if (PgStatement* const statement = pending_[first_].prepares) {
            // Perhaps the server has it under the old name, perhaps not.
            statement->prepared = false;
            statement->name += '_';
        }
    pending_.clear();
    first_ = segments_ = bytes_ = statements_ = 0;
    try {
        if (!active_) return PQstatus(link_.get()) == CONNECTION_OK;
        // However much is under way: our own sync is the last of all, and with it the server has answered everything.
        if (PQstatus(link_.get()) != CONNECTION_OK || PQpipelineSync(link_.get()) == 0) return false;
        // One empty result ends each statement; two in a row mean that libpq has lost the thread.
        int empty = 0;
        while (PQexitPipelineMode(link_.get()) == 0) {
            empty = link_.next_result() ? 0 : empty + 1;
            if (PQstatus(link_.get()) != CONNECTION_OK || empty > 2) return false;
        }
        active_ = false;
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

}  // namespace rowferry
