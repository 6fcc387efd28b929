#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schemas/leader.h"

namespace rowferry {

/// A scratch's snapshot, with the place in the statement log that it stands for, and without the table that the scratch keeps for itself (`hidden`, where it keeps one among the others).
class PlacedSnapshot : public Snapshot {
public:
    PlacedSnapshot(std::unique_ptr<Snapshot> inner, Position position, std::string resume, std::optional<TableName> hidden = {})
        : inner_{std::move(inner)}, position_{position}, resume_{std::move(resume)}, hidden_{std::move(hidden)} {}

    [[nodiscard]] Position position() const override { return position_; }
    [[nodiscard]] std::string resume() const override { return resume_; }
    [[nodiscard]] std::vector<TablePtr> tables() const override {
        std::vector<TablePtr> tables = inner_->tables();
        std::erase_if(tables, [&](const TablePtr& table) { return table->name == hidden_; });
        return tables;
    }
    [[nodiscard]] std::optional<std::uint64_t> estimated_rows(const TableSchema& table) override { return inner_->estimated_rows(table); }
    [[nodiscard]] std::vector<std::string> ranges(const TableSchema& table, std::size_t most) override { return inner_->ranges(table, most); }
    [[nodiscard]] std::unique_ptr<RowReader> another_reader() override { return inner_->another_reader(); }
    [[nodiscard]] std::optional<std::int64_t> next_number(const TableSchema& table, std::uint16_t column) override { return inner_->next_number(table, column); }
    using RowReader::open_table;
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm wanted) override { return inner_->open_table(table, range, wanted); }
    bool read_rows(Batch& batch, std::size_t budget) override { return inner_->read_rows(batch, budget); }
    bool read_raw(RawRows& rows, std::size_t budget) override { return inner_->read_raw(rows, budget); }

private:
    std::unique_ptr<Snapshot> inner_;
    Position position_;
    std::string resume_;
    std::optional<TableName> hidden_;
};

}  // namespace rowferry
