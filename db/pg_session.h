#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/pg_conninfo.h"
#include "db/pg_error.h"

namespace rowferry {

/// Rows of a control query: text values, copied out of the driver.
class PgRows {
public:
    using Row = std::vector<std::optional<std::string>>;
    PgRows() = default;
    PgRows(std::vector<Row> rows, std::size_t affected) : rows_{std::move(rows)}, affected_{affected} {}

    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] std::size_t affected() const noexcept { return affected_; }
    [[nodiscard]] const Row& operator[](std::size_t row) const { return rows_.at(row); }
    /// NULL reads as empty.
    [[nodiscard]] std::string text(std::size_t row, std::size_t column) const;
    [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const { return !rows_.at(row).at(column).has_value(); }
    [[nodiscard]] bool boolean(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }
    [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const;
    [[nodiscard]] auto begin() const noexcept { return rows_.begin(); }
    [[nodiscard]] auto end() const noexcept { return rows_.end(); }

private:
    std::vector<Row> rows_;
    std::size_t affected_ = 0;
};

/// A control connection through libpqxx: catalog, DDL, slots, markers. Never reconnects by itself. One thread.
/// Statements run in autocommit unless BEGIN was executed. Errors: PgError.
class PgSession {
public:
    PgSession(const PgConninfo& conninfo, PgRole role, const std::string& application_name);
    ~PgSession();
    PgSession(const PgSession&) = delete;
    PgSession& operator=(const PgSession&) = delete;

    /// One or more statements without parameters.
    PgRows query(const std::string& sql);
    /// One statement with text parameters $1….
    PgRows query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters);

    [[nodiscard]] int server_version() const noexcept;  ///< 150004 for 15.4.

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// BEGIN … COMMIT on a session; rolls back unless committed.
class PgTransaction {
public:
    explicit PgTransaction(PgSession& session, const std::string& begin = "BEGIN");
    ~PgTransaction();
    PgTransaction(const PgTransaction&) = delete;
    PgTransaction& operator=(const PgTransaction&) = delete;
    void commit();

private:
    PgSession& session_;
    bool open_ = true;
};

}  // namespace rowferry
