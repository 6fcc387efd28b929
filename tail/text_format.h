#pragma once

#include "tail/record_format.h"

namespace rowferry {

/// For people: a line for each transaction and, below it, one for each change. Long values are cut, and say how long they are; control
/// characters are escaped.
class TextFormat : public RecordFormat {
public:
    explicit TextFormat(bool colour) : colour_{colour} {}

    void prepare(PrintedTable& table) const override;
    void change(const Change& change, const PrintedTable& table, std::uint64_t ordinal, std::string& out) const override;
    void truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t ordinal, std::string& out) const override;
    void shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t ordinal, std::string& out) const override;
    void description(const PrintedTable&, std::string&) const override {}
    void begin(const TransactionHead& head, std::string& out) override;
    void record(std::string_view body, bool last, std::string& out) const override;
    void described(std::string_view, std::string&) const override {}
    void end(std::string&) const override {}

private:
    void paint(std::string_view colour, std::string_view text, std::string& out) const;
    void columns(std::span<const Cell> cells, const PrintedTable& table, bool without_key, std::string& out) const;
    void key(const Change& change, const PrintedTable& table, std::string& out) const;
    void verb(std::string_view colour, std::string_view word, const PrintedTable& table, std::string& out) const;
    void update(const Change& change, const PrintedTable& table, std::string& out) const;

    bool colour_;
};

}  // namespace rowferry
