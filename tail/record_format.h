#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/batch.h"
#include "schemas/position.h"

namespace rowferry {

/// What all records of one transaction have in common. Known when it is complete.
struct TransactionHead {
    std::string_view leader;  ///< to_string(LeaderIdentity).
    PositionKind kind = PositionKind::lsn;
    Position position;
    std::int64_t time_us = 0;  ///< 0 where unknown.
    std::uint32_t xid = 0;     ///< 0 where unknown.
    bool merged = false;       ///< Several transactions of the leader in one (Boundary).
};

/// A table as records name it. Made once for each shape; a format keeps in it what it would otherwise write anew for every row.
struct PrintedTable {
    TableSchema shape;
    std::string version;             ///< shape_version().
    std::string name;                ///< As the format writes it.
    std::vector<std::string> columns;  ///< One per column, as the format writes its name.
};

/// 16 hexadecimal digits that stand for names, types and key of the columns: the same in every process and for every way of reading the leader.
[[nodiscard]] std::string shape_version(const TableSchema& table);

/// One form in which changes are printed. A record is written in two parts, because where its transaction ends is known last: the body when the
/// change is read, and around it what the transaction's end tells. One thread. All functions append.
class RecordFormat {
public:
    virtual ~RecordFormat() = default;

    /// Fills `name` and `columns`.
    virtual void prepare(PrintedTable& table) const = 0;

    /// `ordinal`: 1 for the first change of its transaction.
    virtual void change(const Change& change, const PrintedTable& table, std::uint64_t ordinal, std::string& out) const = 0;
    virtual void truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t ordinal, std::string& out) const = 0;
    /// `after` is null when the table was dropped.
    virtual void shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t ordinal, std::string& out) const = 0;
    /// The body of a record that describes a table, which goes before the first record that names this version of it. Nothing: the format has none.
    virtual void description(const PrintedTable& table, std::string& out) const = 0;

    virtual void begin(const TransactionHead& head, std::string& out) = 0;
    /// `last`: of the transaction.
    virtual void record(std::string_view body, bool last, std::string& out) const = 0;
    virtual void described(std::string_view body, std::string& out) const = 0;
    virtual void end(std::string& out) const = 0;
    /// Instead of end(): the transaction comes again, as part of another one.
    virtual void cut_off(std::string&) const {}
};

enum class TailFormat : std::uint8_t { text, json, sql };

struct FormatOptions {
    bool colour = false;    ///< text: with the escape sequences of a terminal.
    bool displace = false;  ///< sql: the leader's capture does not see what REPLACE removes, so that statements have to displace rows themselves.
};
[[nodiscard]] std::unique_ptr<RecordFormat> make_record_format(TailFormat format, const FormatOptions& options);

}  // namespace rowferry
