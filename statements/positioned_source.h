#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schemas/source.h"

namespace rowferry {

/// What a scratch's own source yields, as the transactions of the log that were run there: in place of the scratch's positions the log's, of what was merged each by itself. Nothing is copied: the
/// changes of the marker become Begin and Commit, and what began and ended the scratch's own transactions becomes nothing.
///
/// The marker is a table of the scratch that is captured like the others: one row, written at the beginning and at the end of each transaction that is run again, inside of it. Its columns, as
/// text or integers, besides a key: `phase` (`begin`, `begin_merged` or `end`), `major` and `minor` of the transaction's position, `before_major` and `before_minor` of the one before it, `committed` (µs since 1970,
/// 0: unknown) and `xid` (0: unknown). What begins merged has the position of the first of its transactions there, and ends with that of the last.
///
/// One thread.
class PositionedSource : public Source {
public:
    /// `scratch` begins at the position `scratch_position` with `scratch_resume`. Transactions up to `from` are passed over.
    /// `scratch_id`: a random id of the scratch, for the resume text.
    PositionedSource(std::unique_ptr<Source> scratch, TableName marker, std::string scratch_id, Position from, Position scratch_position, std::string scratch_resume);

    /// Reads what there is on the scratch; waits for it at most so long. Adds no Idle of its own that would go beyond what it has given.
    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override;
    void report(Position durable) override;
    void wake_on(int fd) override { scratch_->wake_on(fd); }
    [[nodiscard]] std::vector<TableName> take_new_tables() override;

    /// Between transactions?
    [[nodiscard]] bool is_between() const noexcept { return !inside_; }
    /// The last transaction that was given out whole.
    [[nodiscard]] Position given() const noexcept { return given_; }

    /// Everything that the scratch's checkpoint has to say, in the stream's own (Commit::resume): where its source begins again.
    [[nodiscard]] static std::string resume_text(const std::string& scratch, Position position, const std::string& resume);
    struct Resume {
        std::string scratch;  ///< Which scratch: a random id.
        Position position;
        std::string resume;
    };
    /// Throws HaltError.
    [[nodiscard]] static Resume parse_resume(std::string_view text);

private:
    /// True where the event is one of the marker's.
    void give_positions(Batch& batch, std::size_t first);
    bool mark(Event& event, const Change& change, Batch& batch);

    std::unique_ptr<Source> scratch_;
    TableName marker_;
    std::string scratch_id_;
    Position from_;
    Position given_;
    Position scratch_position_;   ///< Of the last commit of the scratch's source: where it would begin again.
    std::string scratch_resume_;
    bool inside_ = false;
    bool passing_over_ = false;
    Position current_;
    Position acknowledged_;       ///< Of the scratch's positions.
    std::deque<std::pair<Position, Position>> unreported_;  ///< The first position of the log whose checkpoint says so, and the scratch's to be acknowledged then.
};

}  // namespace rowferry
