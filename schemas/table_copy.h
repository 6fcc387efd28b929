#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "schemas/error.h"
#include "schemas/position.h"
#include "schemas/selection.h"
#include "schemas/table_schema.h"

namespace rowferry {

class CopyTarget;
struct Checkpoint;
struct FollowerOptions;

/// How far a copy of single tables has come. Each state is durable on the follower.
///
///   requested   asked for; nothing done                                   → copying, or failed
///   copying     the leader may be capturing the tables, staging tables may hold rows   (a restart begins the copy again)
///   loaded      the staging tables hold the tables as of `position`       → done, once the stream stands exactly there
///   done, failed   somebody may wait for the answer; goes away after a while
enum class CopyState : std::uint8_t { requested, copying, loaded, done, failed };

/// One table of a copy.
struct CopiedTable {
    struct NextNumber {
        std::uint16_t column = 0;
        std::int64_t next = 1;
        friend bool operator==(const NextNumber&, const NextNumber&) = default;
    };
    std::string staging;              ///< Where its rows are until the swap: a table of rowferry's own, without keys.
    TableSchema shape;                ///< As the follower gets it: the leader's table at `position`, shaped by the stream's rules.
    TableSchema leader;               ///< As the leader has it, for the table's state. The same as `shape` in a stream without rules.
    std::vector<NextNumber> numbers;  ///< What the follower's own numbering continues with.
    friend bool operator==(const CopiedTable&, const CopiedTable&) = default;
};

/// A request to copy tables of a running stream again, or for the first time, and what became of it.
struct TableCopy {
    std::string id;                     ///< Random.
    std::vector<std::string> patterns;  ///< What was asked for, as in --table.
    CopyState state = CopyState::requested;
    /// The stream cannot take the tables' changes any more: they are passed over until the swap.
    bool held = false;
    Position position;                  ///< `loaded`: the swap is due here.
    std::vector<CopiedTable> tables;
    std::string message;                ///< done: what was copied. failed: why.
    bool refused = false;               ///< failed: nothing was changed, see ErrorKind::refused.
    std::int64_t finished_s = 0;        ///< done, failed: when, in seconds since 1970.

    [[nodiscard]] bool is_finished() const noexcept { return state == CopyState::done || state == CopyState::failed; }
    [[nodiscard]] bool holds(const TableName& table) const;
    friend bool operator==(const TableCopy&, const TableCopy&) = default;
};

[[nodiscard]] std::string_view to_string(CopyState state);

/// A copy in the form that a follower keeps: JSON, one line.
[[nodiscard]] std::string to_json(const TableCopy& copy);
/// Throws HaltError: the text comes from the follower.
[[nodiscard]] TableCopy table_copy_from_json(const std::string& json);

/// `main.a, main.b`, for messages.
[[nodiscard]] std::string table_names(const TableCopy& copy);

/// The follower's side of copying single tables of one stream. Belongs to the follower that made it; not while its sink is open, except
/// load(), save() and withdraw(). One thread. Errors as Follower.
class TableCopier {
public:
    virtual ~TableCopier() = default;

    /// Every copy of the stream that is known, the oldest first. Makes nothing.
    [[nodiscard]] virtual std::vector<TableCopy> load() = 0;
    /// Writes a copy, durably, by its id; makes the table it lives in.
    virtual void save(const TableCopy& copy) = 0;
    /// Takes a request back that nobody has begun with, or removes one that is finished. False: too late.
    virtual bool withdraw(const std::string& id) = 0;

    /// Can these tables, as the follower would get them, take the place of its own? `checkpoint` has the tables in the follower's shapes as well. Throws RefusedError; returns notes for the log. Writes nothing.
    [[nodiscard]] virtual std::vector<std::string> check(const std::vector<TablePtr>& tables, const Checkpoint& checkpoint,
                                                         const FollowerOptions& options) = 0;
    /// Makes empty staging tables for `copy.tables` and writes the copy with their names, in state `copying`.
    virtual void stage(TableCopy& copy) = 0;
    /// Rows into the staging table of `table`; one at a time, between stage() and the state `loaded`.
    [[nodiscard]] virtual std::unique_ptr<CopyTarget> copy_into(const CopiedTable& table) = 0;

    /// In one transaction, with the stream's checkpoint exactly at copy.position: every table holds what its staging table held, the table
    /// states say so, the staging tables are gone, and the copy is `done`. Throws RefusedError when the follower does not let it.
    virtual void swap_in(const TableCopy& copy, const Checkpoint& checkpoint) = 0;
    /// Removes the staging tables and writes the copy as it is given.
    virtual void discard(const TableCopy& copy) = 0;
};

}  // namespace rowferry
