#include "decoder/pgoutput/spool.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

using Length = std::uint32_t;
constexpr std::size_t kReadAhead = 256 * 1024;

/// Transaction numbers are a circle; all of one transaction's are within half of it.
std::int32_t distance(std::uint32_t from, std::uint32_t to) { return static_cast<std::int32_t>(to - from); }

}  // namespace

SpoolMemory::Block SpoolMemory::take() {
    used_ += kBlockSize;
    if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBlockSize);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
}

void SpoolMemory::give_back(Block block) {
    used_ -= kBlockSize;
    free_.push_back(std::move(block));
    if (used_ == 0) free_.clear();  // no large transaction is open any more
}

SpooledTransaction::~SpooledTransaction() {
    for (auto& block : tail_) memory_.give_back(std::move(block));
}

std::vector<SpooledTransaction::Subtransaction>::iterator SpooledTransaction::place_of(std::uint32_t subxid) {
    return std::ranges::lower_bound(subtransactions_, distance(xid_, subxid), {}, [this](const Subtransaction& s) { return distance(xid_, s.xid); });
}

void SpooledTransaction::note(std::uint32_t subxid) {
    if (subxid == last_subxid_) return;
    last_subxid_ = subxid;
    const auto place = place_of(subxid);
    if (place == subtransactions_.end() || place->xid != subxid)
        subtransactions_.insert(place, {subxid, size()});
    else
        place->start = std::min(place->start, size());
}

void SpooledTransaction::put(std::span<const char> bytes) {
    while (!bytes.empty()) {
        const std::size_t filled = tail_size_ % SpoolMemory::kBlockSize;
        if (filled == 0 && tail_size_ == in_memory()) tail_.push_back(memory_.take());
        const std::size_t count = std::min(bytes.size(), SpoolMemory::kBlockSize - filled);
        std::memcpy(tail_.back().get() + filled, bytes.data(), count);
        tail_size_ += count;
        bytes = bytes.subspan(count);
    }
}

void SpooledTransaction::append(std::uint32_t subxid, std::span<const std::byte> message) {
    note(subxid);
    for (auto message_before = unattributed_.rbegin(); message_before != unattributed_.rend() && message_before->followed_at == 0; ++message_before)
        message_before->followed_at = size();
    put_record(message);
}

void SpooledTransaction::append_unattributed(std::span<const std::byte> message) {
    unattributed_.push_back({size(), 0});
    put_record(message);
}

void SpooledTransaction::put_record(std::span<const std::byte> message) {
    const auto length = static_cast<Length>(message.size());
    put({reinterpret_cast<const char*>(&length), sizeof length});
    put({reinterpret_cast<const char*>(message.data()), message.size()});
}

bool SpooledTransaction::abort(std::uint32_t subxid) {
    const auto place = place_of(subxid);
    if (place != subtransactions_.end() && place->xid == subxid) {
        const std::uint64_t start = place->start;
        if (start < size()) truncate(start);
        subtransactions_.erase(place);
        while (!subtransactions_.empty() && subtransactions_.back().start >= start) subtransactions_.pop_back();
        last_subxid_ = 0;
    }
    // Of what comes behind a message and stays nothing belongs to the subtransaction, and so neither does the message.
    return unattributed_.empty() || unattributed_.back().followed_at != 0;
}

void SpooledTransaction::truncate(std::uint64_t size) {
    if (size < in_file()) file_->truncate(size);
    while (!unattributed_.empty() && unattributed_.back().start >= size) unattributed_.pop_back();
    for (auto message = unattributed_.rbegin(); message != unattributed_.rend() && message->followed_at >= size; ++message) message->followed_at = 0;
    tail_size_ = static_cast<std::size_t>(size - in_file());
    while (in_memory() >= tail_size_ + SpoolMemory::kBlockSize) {
        memory_.give_back(std::move(tail_.back()));
        tail_.pop_back();
    }
}

void SpooledTransaction::spill(const std::string& directory) {
    if (!file_) file_.emplace(directory);
    for (auto& block : tail_) {
        const std::size_t count = std::min(tail_size_, SpoolMemory::kBlockSize);
        file_->append({block.get(), count});
        tail_size_ -= count;
        memory_.give_back(std::move(block));
    }
    tail_.clear();
}

void SpooledTransaction::read(std::uint64_t offset, std::span<char> bytes) const {
    if (offset < in_file()) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), in_file() - offset));
        file_->read(offset, bytes.first(count));
        offset += count;
        bytes = bytes.subspan(count);
    }
    while (!bytes.empty()) {
        const auto at = static_cast<std::size_t>(offset - in_file());
        const std::size_t inside = at % SpoolMemory::kBlockSize;
        const std::size_t count = std::min(bytes.size(), SpoolMemory::kBlockSize - inside);
        std::memcpy(bytes.data(), tail_[at / SpoolMemory::kBlockSize].get() + inside, count);
        offset += count;
        bytes = bytes.subspan(count);
    }
}

std::span<const char> SpooledTransaction::buffered(std::size_t count) {
    if (buffer_end_ - buffer_first_ < count) {
        if (buffer_first_ > 0) std::memmove(buffer_.data(), buffer_.data() + buffer_first_, buffer_end_ - buffer_first_);
        buffer_end_ -= std::exchange(buffer_first_, 0);
        if (buffer_.size() < std::max(count, kReadAhead)) buffer_.resize(std::max(count, kReadAhead));
        const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size() - buffer_end_, size() - read_));
        read(read_, std::span{buffer_}.subspan(buffer_end_, more));
        read_ += more;
        buffer_end_ += more;
    }
    const std::span<const char> result{buffer_.data() + buffer_first_, count};
    buffer_first_ += count;
    return result;
}

std::optional<std::span<const std::byte>> SpooledTransaction::next() {
    if (read_ == size() && buffer_first_ == buffer_end_) return std::nullopt;
    Length length = 0;
    std::memcpy(&length, buffered(sizeof length).data(), sizeof length);
    return std::as_bytes(buffered(length));
}

Spool::Spool(std::string directory, std::size_t memory_budget) : directory_{std::move(directory)}, budget_{memory_budget} { ScratchFile{directory_}; }

SpooledTransaction& Spool::known(std::uint32_t xid) {
    if (last_ != nullptr && last_xid_ == xid) return *last_;
    const auto found = transactions_.find(xid);
    if (found == transactions_.end()) throw DecodeError{fmt::format("the leader goes on with a streamed transaction ({}) that never began", xid)};
    last_ = found->second.get();
    last_xid_ = xid;
    return *last_;
}

void Spool::begin(std::uint32_t xid, bool first) {
    if (!first) {
        known(xid);
        return;
    }
    if (!transactions_.emplace(xid, std::make_unique<SpooledTransaction>(xid, memory_)).second)
        throw DecodeError{fmt::format("the leader begins a streamed transaction ({}) twice", xid)};
}

void Spool::append(std::uint32_t xid, std::uint32_t subxid, std::span<const std::byte> message) {
    known(xid).append(subxid, message);
    if (memory_.used() > budget_) spill_largest();
}

void Spool::append_unattributed(std::uint32_t xid, std::span<const std::byte> message) {
    known(xid).append_unattributed(message);
    if (memory_.used() > budget_) spill_largest();
}

void Spool::clear() {
    last_ = nullptr;
    transactions_.clear();
}

void Spool::spill_largest() {
    const auto largest = std::ranges::max_element(transactions_, {}, [](const auto& entry) { return entry.second->in_memory(); });
    largest->second->spill(directory_);
}

bool Spool::abort(std::uint32_t xid, std::uint32_t subxid) {
    if (xid != subxid) return known(xid).abort(subxid);
    take(xid);
    return true;
}

std::unique_ptr<SpooledTransaction> Spool::take(std::uint32_t xid) {
    known(xid);
    last_ = nullptr;
    return std::move(transactions_.extract(xid).mapped());
}

}  // namespace rowferry
