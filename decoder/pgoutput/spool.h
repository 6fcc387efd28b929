#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/scratch_file.h"

namespace rowferry {

/// Memory for the ends of spooled transactions, handed out in blocks.
class SpoolMemory {
public:
    using Block = std::unique_ptr<char[]>;
    static constexpr std::size_t kBlockSize = 64 * 1024;

    Block take();
    void give_back(Block block);
    /// Bytes in blocks that are in use.
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    std::vector<Block> free_;
    std::size_t used_ = 0;
};

/// The messages of one transaction, as they came: its beginning in a file once it was large, its end in memory.
///
///   transaction := record*
///   record      := length:u32 message:byte[length]     -- length in the machine's own order
class SpooledTransaction {
public:
    SpooledTransaction(std::uint32_t xid, SpoolMemory& memory) : xid_{xid}, memory_{memory} {}
    ~SpooledTransaction();
    SpooledTransaction(const SpooledTransaction&) = delete;
    SpooledTransaction& operator=(const SpooledTransaction&) = delete;

    void append(std::uint32_t subxid, std::span<const std::byte> message);
    /// One of which the leader does not say which subtransaction it belongs to (a logical message has the number of the whole transaction).
    void append_unattributed(std::span<const std::byte> message);
    /// Drops what a subtransaction and those inside it have changed. The leader tells of it at its place in the log, so that everything behind
    /// the subtransaction's first message belongs to it. False when it cannot be told whether an unattributed message does: nothing that
    /// stays comes behind it.
    [[nodiscard]] bool abort(std::uint32_t subxid);
    /// Moves what is in memory into the file, which is made in `directory` if there is none.
    void spill(const std::string& directory);

    [[nodiscard]] std::uint64_t size() const noexcept { return in_file() + tail_size_; }
    [[nodiscard]] std::uint64_t in_file() const noexcept { return file_ ? file_->size() : 0; }
    [[nodiscard]] std::size_t in_memory() const noexcept { return tail_.size() * SpoolMemory::kBlockSize; }

    /// The next message, from the first on; valid until the next call. Nothing at the end. The transaction must be complete.
    [[nodiscard]] std::optional<std::span<const std::byte>> next();

private:
    struct Subtransaction {
        std::uint32_t xid = 0;
        std::uint64_t start = 0;  ///< Of its first record.
    };
    struct Unattributed {
        std::uint64_t start = 0;
        std::uint64_t followed_at = 0;  ///< Where the next message with a number begins; 0 while there is none.
    };
    void note(std::uint32_t subxid);
    void put_record(std::span<const std::byte> message);
    [[nodiscard]] std::vector<Subtransaction>::iterator place_of(std::uint32_t subxid);
    void put(std::span<const char> bytes);
    void truncate(std::uint64_t size);
    void read(std::uint64_t offset, std::span<char> bytes) const;
    /// So many bytes of what next() has not given out yet.
    std::span<const char> buffered(std::size_t count);

    std::uint32_t xid_;
    SpoolMemory& memory_;
    std::optional<ScratchFile> file_;
    std::vector<SpoolMemory::Block> tail_;
    std::size_t tail_size_ = 0;
    std::vector<Subtransaction> subtransactions_;  ///< By xid, which rises from a transaction to those inside it and those after it.
    std::uint32_t last_subxid_ = 0;
    std::vector<Unattributed> unattributed_;

    std::vector<char> buffer_;
    std::size_t buffer_first_ = 0;
    std::size_t buffer_end_ = 0;
    std::uint64_t read_ = 0;  ///< Copied into the buffer so far.
};

/// The transactions that the leader streams before it is known whether they commit. What they take in memory stays below a budget over all of
/// them; the largest goes to a file when it is reached. One thread. Errors: those of ScratchFile, DecodeError for a transaction that
/// was never begun.
class Spool {
public:
    /// Makes a file in `directory` for a trial.
    Spool(std::string directory, std::size_t memory_budget);

    /// A segment of the transaction follows.
    void begin(std::uint32_t xid, bool first);
    void append(std::uint32_t xid, std::uint32_t subxid, std::span<const std::byte> message);
    /// See SpooledTransaction.
    void append_unattributed(std::uint32_t xid, std::span<const std::byte> message);
    /// The whole transaction when `subxid` is `xid`. False: see SpooledTransaction.
    [[nodiscard]] bool abort(std::uint32_t xid, std::uint32_t subxid);
    void clear();
    /// To be read, and forgotten by the spool. Must not outlive it.
    std::unique_ptr<SpooledTransaction> take(std::uint32_t xid);

    [[nodiscard]] std::size_t open_transactions() const noexcept { return transactions_.size(); }

private:
    SpooledTransaction& known(std::uint32_t xid);
    void spill_largest();

    std::string directory_;
    std::size_t budget_;
    SpoolMemory memory_;
    std::unordered_map<std::uint32_t, std::unique_ptr<SpooledTransaction>> transactions_;
    SpooledTransaction* last_ = nullptr;  ///< That of last_xid_.
    std::uint32_t last_xid_ = 0;
};

}  // namespace rowferry
