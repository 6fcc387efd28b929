#pragma once

#include "tail/record_format.h"

namespace rowferry {

/// Statements in the leader's dialect that would make the changes, each transaction between BEGIN and COMMIT, a statement a line.
class SqlFormat : public RecordFormat {
public:
    /// See FormatOptions.
    explicit SqlFormat(bool displace) : displace_{displace} {}

    void prepare(PrintedTable& table) const override;
    void change(const Change& change, const PrintedTable& table, std::uint64_t ordinal, std::string& out) const override;
    void truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t ordinal, std::string& out) const override;
    void shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t ordinal, std::string& out) const override;
    void description(const PrintedTable&, std::string&) const override {}
    void begin(const TransactionHead& head, std::string& out) override;
    void record(std::string_view body, bool last, std::string& out) const override;
    void described(std::string_view, std::string&) const override {}
    void end(std::string& out) const override { out += "COMMIT;\n"; }
    void cut_off(std::string& out) const override { out += "ROLLBACK;\n"; }

private:
    [[nodiscard]] const char* verb(const char* plain, const char* displacing, const PrintedTable& table) const;
    void insert(const Change& change, const PrintedTable& table, std::string& out) const;
    void update(const Change& change, const PrintedTable& table, std::string& out) const;

    bool displace_;
};

}  // namespace rowferry
