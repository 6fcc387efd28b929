#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "applier/postgresql/pg_failure.h"
#include "applier/postgresql/pg_mismatch.h"
#include "applier/postgresql/pg_table_plan.h"
#include "db/pg_link.h"
#include "schemas/arena.h"
#include "schemas/row_reader.h"

namespace rowferry {

/// Appends `text` as a field of COPY's text format.
void append_copy_text(std::string& out, std::string_view text);

/// Rows of one table through COPY … FROM STDIN, encoded straight into one buffer that is kept until the server has accepted them: a line
/// number in its complaint leads back to the key. begin(), add()…, end(), result(); end() does not wait, so that the caller can fetch more
/// rows while the server works. A transaction has to be open.
class PgCopyStream {
public:
    struct Failure {
        PgDiagnosis diagnosis;
        std::uint64_t row = 0;  ///< 0-based; the number of rows sent where the server named no line.
        std::string key;        ///< `id=5`, cut out of the buffer.
    };

    explicit PgCopyStream(PgLink& link) : link_{link} {}

    /// For the next run, maybe of another table. `before` is SQL to run first in the same message, such as a SAVEPOINT. In the form copy_binary
    /// values go through as they are, by COPY … (FORMAT binary).
    void begin(const PgTablePlan& plan, std::string_view before = {}, RowForm form = RowForm::cells);
    /// copy_binary when the first value of these rows that is not NULL is in binary form; rows of one run never mix.
    [[nodiscard]] static RowForm form_of(std::span<const Event> rows);
    /// Throws ValueError with the column's name in front for a value that does not fit and is not to become NULL; the row is left out then.
    void add(const Change& row);
    /// The whole run at once, in the form of begin(). What `rows` held is kept until result(); it gets an earlier run's memory.
    void add_raw(RawRows& rows);
    void end();
    /// Waits for the server. Nothing: all rows are in.
    [[nodiscard]] std::optional<Failure> result();

    /// Counts what became NULL in the rows that the server has accepted.
    void tell(PgMismatchLog& log);

    [[nodiscard]] bool awaiting() const noexcept { return awaiting_; }
    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }

private:
    struct Nulled {
        std::string why;
        std::uint64_t count = 0;
    };
    [[nodiscard]] std::optional<Failure> swallowed(std::string_view count) const;
    void add_text(const Change& row);
    void add_binary(const Change& row);
    void add_cell(std::uint16_t column, const Cell& cell);
    [[nodiscard]] std::string key_of(std::uint64_t row) const;
    [[nodiscard]] std::string text_key(std::uint64_t row) const;
    [[nodiscard]] std::string binary_key(std::uint64_t row) const;

    PgLink& link_;
    const PgTablePlan* plan_ = nullptr;
    Arena scratch_;  // converted values of one row
    std::string buffer_;
    std::size_t sent_ = 0;
    std::uint64_t rows_ = 0;
    std::map<std::uint16_t, Nulled> nulled_;  // by column
    bool awaiting_ = false;
    bool binary_ = false;
    bool raw_ = false;  // rows that somebody else has counted
};

}  // namespace rowferry
