#pragma once

#include "tail/record_format.h"

namespace rowferry {

/// One record a line, as schemas/change_record.schema.json says and docs/audit.md explains.
class JsonFormat : public RecordFormat {
public:
    void prepare(PrintedTable& table) const override;
    void change(const Change& change, const PrintedTable& table, std::uint64_t ordinal, std::string& out) const override;
    void truncate(const Truncate& truncate, const std::vector<const PrintedTable*>& tables, std::uint64_t ordinal, std::string& out) const override;
    void shape(const ShapeChange& change, const PrintedTable& before, const PrintedTable* after, std::uint64_t ordinal, std::string& out) const override;
    void description(const PrintedTable& table, std::string& out) const override;
    void begin(const TransactionHead& head, std::string& out) override;
    void record(std::string_view body, bool last, std::string& out) const override;
    void described(std::string_view body, std::string& out) const override;
    void end(std::string&) const override {}

private:
    std::string leader_;       ///< `{"rowferry":1,"leader":"…",` of the present transaction.
    std::string transaction_;  ///< `"transaction":{…},` behind it.
};

}  // namespace rowferry
