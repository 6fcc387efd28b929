#include "applier/postgresql/pg_copy_target.h"

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

PgCopyTarget::PgCopyTarget(std::shared_ptr<PgSharedLink> shared, const TableSchema& leader, const PgTarget& follower, bool own_transaction)
    : shared_{std::move(shared)},
      link_{*shared_->link},
      plan_{leader, follower, 0},
      stream_{link_},
      own_transaction_{own_transaction} {
    if (!own_transaction_) return;
    link_.query("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    open_ = true;
}

PgCopyTarget::~PgCopyTarget() {
    if (!shared_->link) return;  // the follower has closed it
    try {
        if (stream_.awaiting() && PQstatus(link_.get()) == CONNECTION_OK) link_.drain();
        if (open_) link_.query("ROLLBACK");
    } catch (const std::exception&) {
        // The connection is lost; the follower looks at its state before it uses it again.
    }
}

void PgCopyTarget::write(std::span<const Event> rows) {
    collect();
    stream_.begin(plan_);
    for (const Event& event : rows) {
        const auto& row = std::get<Change>(event);
        try {
            stream_.add(row);
        } catch (const ValueError& error) {
            throw HaltError{fmt::format("copy of {}, {}, {}", to_string(plan_.follower().name), plan_.describe_key(row), error.what())};
        }
    }
    stream_.end();
}

void PgCopyTarget::collect() {
    if (!stream_.awaiting()) return;
    const std::uint64_t rows = stream_.rows();
    if (const auto failure = stream_.result()) {
        const PgDiagnosis& diagnosis = failure->diagnosis;
        throw PgError{diagnosis.sqlstate, fmt::format("copy of {}, {} (row {}){}{}: {}", to_string(plan_.follower().name), failure->key,
                                                      rows_ + failure->row + 1, diagnosis.column.empty() ? "" : ", column ",
                                                      printable(diagnosis.column, 80), diagnosis.message)};
    }
    rows_ += rows;
}

void PgCopyTarget::finish() {
    collect();
    if (!open_) return;
    link_.query("COMMIT");
    open_ = false;
}

}  // namespace rowferry
