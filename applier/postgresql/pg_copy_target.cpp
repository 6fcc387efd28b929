#include "applier/postgresql/pg_copy_target.h"

#include <utility>

#include <fmt/format.h>

#include "applier/postgresql/pg_quarantine_store.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

PgCopyTarget::PgCopyTarget(std::shared_ptr<PgSharedLink> shared, const TableSchema& leader, const PgTarget& follower, bool own_transaction,
                           std::string stream)
    : shared_{std::move(shared)},
      link_{*shared_->link},
      plan_{leader, follower, 0},
      copy_{link_},
      stream_{std::move(stream)},
      own_transaction_{own_transaction} {
    if (!own_transaction_) return;
    link_.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    open_ = true;
}

PgCopyTarget::~PgCopyTarget() {
    if (!shared_->link) return;  // the follower has closed it
    try {
        if (copy_.awaiting() && PQstatus(link_.get()) == CONNECTION_OK) link_.drain();
        if (open_) link_.query("ROLLBACK");
    } catch (const std::exception&) {
        // The connection is lost; the follower looks at its state before it uses it again.
    }
}

void PgCopyTarget::write(std::span<const Event> rows) {
    collect();
    copy_.begin(plan_, {}, PgCopyStream::form_of(rows));
    for (const Event& event : rows) {
        const auto& row = std::get<Change>(event);
        try {
            copy_.add(row);
        } catch (const ValueError& error) {
            quarantine(row, error);
        }
    }
    copy_.end();
}

void PgCopyTarget::write_raw(RawRows& rows) {
    collect();
    copy_.begin(plan_, {}, plan_.raw_form());
    copy_.add_raw(rows);
    copy_.end();
}

void PgCopyTarget::fail(const Change& row, const ValueError& error) const {
    throw HaltError{fmt::format("copy of {}, {}, {}", to_string(plan_.follower().name), plan_.describe_key(row), error.what())};
}

/// Keeps a row that does not fit for the side table, if that is where it shall go.
void PgCopyTarget::quarantine(const Change& row, const ValueError& error) {
    if (!plan_.lenient()) fail(row, error);
    try {
        const auto misfit = find_misfit(plan_, row.after);
        if (!misfit) fail(row, error);
        quarantined_ += (quarantined_.empty() ? "" : ", ") + pg_quarantine::row_values(stream_, plan_, row.after, *misfit);
        mismatches_.note(plan_, misfit->column, kQuarantined, misfit->why, plan_.describe_key(row));
    } catch (const ValueError& first) {
        fail(row, first);
    }
}

void PgCopyTarget::collect() {
    if (!copy_.awaiting()) return;
    const std::uint64_t rows = copy_.rows();
    if (const auto failure = copy_.result()) {
        const PgDiagnosis& diagnosis = failure->diagnosis;
        throw PgError{diagnosis.sqlstate, fmt::format("copy of {}, {} (row {}){}{}: {}", to_string(plan_.follower().name), failure->key,
                                                      rows_ + failure->row + 1, diagnosis.column.empty() ? "" : ", column ",
                                                      printable(diagnosis.column, 80), diagnosis.message)};
    }
    rows_ += rows;
    copy_.tell(mismatches_);
    if (!quarantined_.empty()) pg_quarantine::insert_rows(run_on(link_), std::exchange(quarantined_, {}));
}

void PgCopyTarget::finish() {
    collect();
    if (!open_) return;
    open_ = false;
    try {
        link_.query("COMMIT");
    } catch (const PgError& error) {
        if (error.kind() == ErrorKind::retryable) throw UnknownOutcomeError{error.what()};
        throw;
    }
}

std::unique_ptr<PgCopyTarget> open_pg_copy_target(const std::shared_ptr<PgSharedLink>& shared, const TablePtr& table, bool own_transaction,
                                                  const std::string& stream) {
    const TableName name = follower_table(*table, Engine::postgresql);
    const auto found = read_targets(run_on(*shared->link), {name});
    if (found.empty()) throw HaltError{fmt::format("{}: the follower's table is gone", to_string(name))};
    return std::make_unique<PgCopyTarget>(shared, *table, found.begin()->second, own_transaction, stream);
}

}  // namespace rowferry
