#include "statements/positioned_source.h"

#include <charconv>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

std::uint64_t number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) throw HaltError{"the scratch's marker of a transaction is damaged"};
    return value;
}

/// The marker's row after a change, by column.
class MarkerRow {
public:
    explicit MarkerRow(const Change& change) : change_{change} {}

    [[nodiscard]] std::uint64_t at(std::string_view column) const {
        const Cell& cell = cell_of(column);
        if (cell.kind() == CellKind::integer && cell.as_integer() >= 0) return static_cast<std::uint64_t>(cell.as_integer());
        return number(cell.bytes());
    }
    [[nodiscard]] std::string_view text(std::string_view column) const { return cell_of(column).bytes(); }

private:
    [[nodiscard]] const Cell& cell_of(std::string_view column) const {
        for (std::size_t i = 0; i < change_.table->columns.size() && i < change_.after.size(); ++i)
            if (change_.table->columns[i].name == column && (change_.after[i].kind() == CellKind::text || change_.after[i].kind() == CellKind::integer)) return change_.after[i];
        throw HaltError{fmt::format("the scratch's marker of a transaction has no {}", column)};
    }
    const Change& change_;
};

}  // namespace

PositionedSource::PositionedSource(std::unique_ptr<Source> scratch, TableName marker, std::string scratch_id, Position from, Position scratch_position, std::string scratch_resume)
    : scratch_{std::move(scratch)},
      marker_{std::move(marker)},
      scratch_id_{std::move(scratch_id)},
      from_{from},
      given_{from},
      scratch_position_{scratch_position},
      scratch_resume_{std::move(scratch_resume)},
      acknowledged_{scratch_position} {}

std::string PositionedSource::resume_text(const std::string& scratch, Position position, const std::string& resume) {
    return fmt::format("{} {} {} {}", scratch, position.major, position.minor, resume);
}

PositionedSource::Resume PositionedSource::parse_resume(std::string_view text) {
    const auto take = [&text]() -> std::string_view {
        const auto space = text.find(' ');
        if (space == std::string_view::npos) throw HaltError{"the checkpoint does not hold the scratch's position: it was not written by this capture method"};
        const std::string_view part = text.substr(0, space);
        text.remove_prefix(space + 1);
        return part;
    };
    Resume resume;
    resume.scratch = std::string{take()};
    resume.position.major = number(take());
    resume.position.minor = number(take());
    resume.resume = std::string{text};
    return resume;
}

bool PositionedSource::mark(Event& event, const Change& change, Batch& batch) {
    if (change.table->name != marker_) return false;
    const MarkerRow row{change};
    const std::string_view phase = row.text("phase");
    const Position position{row.at("major"), row.at("minor")};
    if ((phase == "begin" || phase == "begin_merged") && !inside_) {
        const Position before{row.at("before_major"), row.at("before_minor")};
        inside_ = true;
        passing_over_ = position <= from_;
        current_ = position;
        event = Idle{given_};
        if (!passing_over_) event = Begin{before, static_cast<std::uint32_t>(row.at("xid")), phase == "begin" ? Boundary::exact : Boundary::merged};
        return true;
    }
    if (phase == "end" && inside_ && position >= current_) {
        inside_ = false;
        event = Idle{given_};
        if (passing_over_) return true;
        event = Commit{position, static_cast<std::int64_t>(row.at("committed")), batch.arena().copy(resume_text(scratch_id_, scratch_position_, scratch_resume_))};
        given_ = position;
        if (unreported_.empty() || unreported_.back().second != scratch_position_) unreported_.emplace_back(position, scratch_position_);
        return true;
    }
    throw HaltError{"the scratch holds changes that were not made by running the log: nobody else may write to it"};
}

void PositionedSource::read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) {
    const std::size_t first = batch.events().size();
    try {
        scratch_->read(batch, budget, wait);
        give_positions(batch, first);
    } catch (...) {
        // What has the scratch's positions must not go on.
        for (Event& event : batch.events_being_filled().subspan(first)) event = Idle{given_};
        throw;
    }
}

void PositionedSource::give_positions(Batch& batch, std::size_t first) {
    for (Event& event : batch.events_being_filled().subspan(first)) {
        if (const auto* change = std::get_if<Change>(&event)) {
            const Change copy = *change;
            if (mark(event, copy, batch)) continue;
            if (!inside_) throw HaltError{"the scratch holds changes that were not made by running the log: nobody else may write to it"};
            if (passing_over_) event = Idle{given_};
        } else if (const auto* commit = std::get_if<Commit>(&event)) {
            // A transaction of the log that spans several of the scratch begins again at its own beginning.
            if (!inside_) {
                scratch_position_ = commit->position;
                scratch_resume_ = std::string{commit->resume};
            }
            event = Idle{given_};
        } else if (std::holds_alternative<Begin>(event) || std::holds_alternative<Idle>(event)) {
            event = Idle{given_};
        } else if (passing_over_ && inside_) {
            event = Idle{given_};
        }
    }
}

void PositionedSource::report(Position durable) {
    while (!unreported_.empty() && unreported_.front().first <= durable) {
        acknowledged_ = unreported_.front().second;
        unreported_.pop_front();
    }
    // Also without anything new: the scratch's source does on this occasion what it has to do now and then.
    scratch_->report(acknowledged_);
}

std::vector<TableName> PositionedSource::take_new_tables() { return scratch_->take_new_tables(); }

}  // namespace rowferry
