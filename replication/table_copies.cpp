#include "replication/table_copies.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "replication/copy_tables.h"
#include "replication/shaped.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::seconds kLookInterval{1};
// Whoever asked has looked by then.
constexpr std::int64_t kAnswerKeptSeconds = 60;

std::int64_t now_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool is_table_of(const Checkpoint& checkpoint, const TableName& name) {
    return std::ranges::any_of(checkpoint.tables, [&](const TableState& state) { return state.name == name; });
}

/// The stream's tables that are not copied now, as the leader has them.
std::vector<TablePtr> other_tables(const Checkpoint& checkpoint, const std::vector<TableName>& copied) {
    std::vector<TablePtr> others;
    for (const TableState& state : checkpoint.tables)
        if (std::ranges::find(copied, state.name) == copied.end()) others.push_back(std::make_shared<const TableSchema>(state.shape));
    return others;
}

bool is_final(const Error& error) { return error.kind() == ErrorKind::refused || error.kind() == ErrorKind::halted || error.kind() == ErrorKind::usage; }

}  // namespace

TableCopies::TableCopies(Leader& leader, Follower& follower, const RunOptions& options, const StopSignal& stop, Observer& observer)
    : leader_{leader}, follower_{follower}, options_{options}, stop_{stop}, observer_{observer}, copier_{follower.copier(options.request.stream)} {}

bool TableCopies::asked() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_look_) return false;
    next_look_ = now + kLookInterval;
    try {
        return std::ranges::any_of(copier_->load(), [](const TableCopy& copy) { return !copy.is_finished(); });
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::retryable) throw;
        spdlog::debug("looking for requests: {}", error.what());  // the next look, or the sink, will tell
        return false;
    }
}

void TableCopies::ask_for(const TableName& table) {
    TableCopy copy;
    std::random_device device;
    copy.id = fmt::format("{:08x}{:08x}", device(), device());
    copy.patterns = {quote_table(table)};
    copier_->save(copy);
    next_look_ = {};
}

std::optional<TableCopy> TableCopies::prepare(const Checkpoint& checkpoint) {
    options_.request.follower_id = checkpoint.follower_id;
    for (TableCopy& copy : copier_->load()) {
        // Past it: somebody followed the stream with a rowferry that does not know of copies.
        if (copy.state == CopyState::loaded && copy.position >= checkpoint.position) return std::move(copy);
        if (copy.is_finished()) {
            if (now_s() - copy.finished_s > kAnswerKeptSeconds) copier_->withdraw(copy.id);
            continue;
        }
        if (auto loaded = begin(std::move(copy), checkpoint)) return loaded;
    }
    return std::nullopt;
}

/// The leader's tables that were asked for. They have to be tables that the stream's own patterns select, or the next start would not
/// know what to make of them.
std::vector<TableName> TableCopies::resolve(const TableCopy& copy) {
    // Only the names count here: the rules are held against the tables once it is clear which they are.
    StreamRequest whole = options_.request;
    whole.rules = {};
    StreamRequest asked = whole;
    asked.selection = {};
    for (const std::string& pattern : copy.patterns) asked.selection.tables.emplace_back(pattern);
    const std::vector<TablePtr> matching = leader_.select_tables(asked);
    std::vector<TablePtr> selected;
    try {
        selected = leader_.select_tables(whole);
    } catch (const RefusedError&) {  // a pattern of the stream matches nothing any more
        std::ranges::copy_if(matching, std::back_inserter(selected),
                             [&](const TablePtr& table) { return options_.request.selection.selects(leader_.engine(), table->name); });
    }
    std::vector<TableName> names;
    for (const TablePtr& table : matching) {
        if (std::ranges::none_of(selected, [&](const TablePtr& other) { return other->name == table->name; }))
            throw RefusedError{fmt::format("{} is not one of the tables of stream {}, which was started with [{}]", to_string(table->name),
                                           options_.request.stream, options_.request.selection.canonical())};
        names.push_back(table->name);
    }
    return names;
}

std::optional<TableCopy> TableCopies::begin(TableCopy copy, const Checkpoint& checkpoint) {
    std::vector<TableName> names;
    try {
        if (copy.state == CopyState::copying) spdlog::info("an unfinished copy of {} begins again", fmt::join(copy.patterns, ", "));
        copy.state = CopyState::copying;
        copier_->discard(copy);
        copy.tables.clear();
        names = resolve(copy);
        load(copy, names, checkpoint);
        return copy;
    } catch (const Error& error) {
        if (!is_final(error)) throw;
        fail(std::move(copy), names, checkpoint, error);
        return std::nullopt;
    }
}

void TableCopies::load(TableCopy& copy, const std::vector<TableName>& names, const Checkpoint& checkpoint) {
    spdlog::info("copying {} again, or for the first time; the stream waits meanwhile", fmt::join(copy.patterns, ", "));
    const TableRules& rules = options_.request.rules;
    auto taken = leader_.snapshot_of(options_.request, names);
    const std::vector<TablePtr> others = other_tables(checkpoint, names);
    std::vector<TablePtr> stream_tables = taken->tables();
    stream_tables.insert(stream_tables.end(), others.begin(), others.end());
    const std::vector<TableState> states = table_states(stream_tables, rules, follower_.engine(), taken->position());
    const auto snapshot = shaped_snapshot(std::move(taken), rules, follower_.engine(), others);
    const std::vector<TablePtr> tables = snapshot->tables();
    const Checkpoint shaped = shaped_checkpoint(checkpoint, rules, follower_.engine());
    for (const std::string& note : copier_->check(tables, shaped, options_.follower)) spdlog::info("{}", note);
    for (std::size_t i = 0; i < tables.size(); ++i) copy.tables.push_back({{}, *tables[i], states[i].shape, {}});
    copier_->stage(copy);

    CopyProgress progress;
    progress.tables = tables.size();
    const auto start = std::chrono::steady_clock::now();
    const auto tell = [&] {
        progress.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
        observer_.copying(progress);
    };
    for (std::size_t i = 0; i < tables.size(); ++i) {
        progress.table = to_string(tables[i]->name);
        const auto target = copier_->copy_into(copy.tables[i]);
        copy_rows(*snapshot, *target, tables[i], {}, stop_, [&](std::size_t rows) {
            progress.rows += rows;
            tell();
        });
        for (std::uint16_t column = 0; column < tables[i]->columns.size(); ++column) {
            if (tables[i]->columns[column].auto_number == AutoNumber::none) continue;
            if (const auto next = snapshot->next_number(*tables[i], column)) copy.tables[i].numbers.push_back({column, *next});
        }
        ++progress.tables_done;
    }
    progress.finished = true;
    tell();
    copy.position = snapshot->position();
    copy.state = CopyState::loaded;
    copy.message = fmt::format("copied {} as of {}: {} row(s)", table_names(copy), to_string(checkpoint.position_kind, copy.position), progress.rows);
    copier_->save(copy);
    // So that the stream gets there also when nothing else happens.
    static_cast<void>(leader_.mark(options_.request));
}

void TableCopies::fail(TableCopy copy, const std::vector<TableName>& names, const Checkpoint& checkpoint, const Error& why) {
    std::vector<TableName> added;
    std::ranges::copy_if(names, std::back_inserter(added), [&](const TableName& name) { return !is_table_of(checkpoint, name); });
    if (!added.empty()) leader_.release(options_.request, added);
    copy.state = CopyState::failed;
    copy.message = why.what();
    copy.refused = why.kind() != ErrorKind::halted;
    copy.finished_s = now_s();
    copier_->discard(copy);
    spdlog::warn("copy of {}: {}", fmt::join(copy.patterns, ", "), why.what());
}

Checkpoint TableCopies::towards(const TableCopy& copy, Checkpoint checkpoint) {
    for (const CopiedTable& table : copy.tables) {
        const TableName& name = table.shape.name;
        if (is_table_of(checkpoint, name) && !copy.held) continue;
        std::erase_if(checkpoint.tables, [&](const TableState& state) { return state.name == name; });
        checkpoint.passed_over.push_back(name);
    }
    return checkpoint;
}

bool TableCopies::hold(TableCopy& copy, const Error& why) {
    if (copy.held) return false;
    spdlog::warn("{}; changes of {} are passed over until its new copy takes its place", why.what(), table_names(copy));
    copy.held = true;
    copier_->save(copy);
    return true;
}

void TableCopies::swap_in(TableCopy copy, const Checkpoint& checkpoint) {
    std::vector<TableName> names;
    for (const CopiedTable& table : copy.tables) names.push_back(table.shape.name);
    try {
        copy.finished_s = now_s();
        copier_->swap_in(copy, checkpoint);
        spdlog::info("{}", copy.message);
    } catch (const Error& error) {
        if (!is_final(error)) throw;
        // Changes that were passed over are in the copy only.
        if (copy.held)
            throw HaltError{fmt::format("the new copy of {} is complete but cannot take its place: {}. Mend that and start again", table_names(copy), error.what())};
        fail(std::move(copy), names, checkpoint, error);
    }
}

}  // namespace rowferry
