#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "schemas/batch.h"
#include "schemas/leader.h"
#include "tail/output.h"
#include "tail/pending_records.h"
#include "tail/record_format.h"

namespace rowferry {

/// Kinds of records, as bits.
namespace record_kind {
inline constexpr unsigned insert = 1;
inline constexpr unsigned update = 2;
inline constexpr unsigned remove = 4;
inline constexpr unsigned truncate = 8;
inline constexpr unsigned shape = 16;
inline constexpr unsigned all = 31;
}  // namespace record_kind

/// Prints whole transactions, each at its end: until then its records wait (PendingRecords), so that memory is bounded and a transaction that is
/// cut off, by a lost connection say, is not printed at all. Outlives connections: what was printed is not printed again by the same process, and a
/// transaction in whose middle the output failed goes on behind the last of its records that was printed, when it comes again with the same ones in front.
/// One thread. Errors as Output and ScratchFile.
class TailPrinter {
public:
    TailPrinter(std::unique_ptr<RecordFormat> format, Output output, unsigned kinds, const SpoolOptions& spool);

    void set_leader(const LeaderIdentity& leader, PositionKind kind);
    /// Transactions that end at or before it are passed over.
    void skip_to(Position position) { printed_to_ = std::max(printed_to_, position); }

    /// Events in commit order; a transaction may go on in the next call.
    void apply(std::span<const Event> events);
    /// The transaction that was begun is not coming to its end.
    void abandon() noexcept;
    /// Everything that was printed is handed over to who reads; `kept`: and survives a crash of this machine if it is a file.
    void flush(bool kept);
    void check_reader() const { output_.check_reader(); }

    /// The end of the last transaction of which anything was printed; zero before.
    [[nodiscard]] Position given() const noexcept { return given_; }
    [[nodiscard]] std::uint64_t records() const noexcept { return records_; }

private:
    void step(const Begin& begin);
    void step(const Change& change);
    void step(const Truncate& truncate);
    void step(const ShapeChange& change);
    void step(const Commit& commit);
    void step(const Idle&) {}
    void step(const TakenBack&) {}  ///< Not asked for.
    const PrintedTable& printed(const TableSchema& table);
    void describe(const PrintedTable& table);
    void add_record();
    void print(const TransactionHead& head);
    /// The transaction's text, piece by piece.
    template <typename Take>
    void format(const TransactionHead& head, Take take);

    /// What the output took of a transaction before it failed.
    struct Taken {
        Position end;
        std::uint64_t pieces = 0;
        std::uint64_t hash = 0;
        void add(std::string_view text);
        bool operator==(const Taken&) const = default;
    };

    std::unique_ptr<RecordFormat> format_;
    Output output_;
    unsigned kinds_;
    std::string leader_;
    PositionKind kind_ = PositionKind::lsn;
    Position printed_to_;
    Position given_;
    std::map<TableName, std::unique_ptr<PrintedTable>> tables_;
    std::map<const TableSchema*, const PrintedTable*> of_call_;  ///< Of one apply(): a table of another batch may have the same address.
    std::set<std::string> described_;          ///< Names with versions.
    std::vector<std::string> described_here_;  ///< In the present transaction.
    PendingRecords pending_;
    Taken taken_;
    std::string body_;
    std::string text_;
    std::uint32_t xid_ = 0;
    bool merged_ = false;
    std::uint64_t ordinal_ = 0;
    std::uint64_t records_ = 0;
};

}  // namespace rowferry
