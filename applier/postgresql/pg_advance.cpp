#include "applier/postgresql/pg_advance.h"

#include <fmt/format.h>

namespace rowferry {
namespace pg_advance {
namespace {
// No number: casting it is the error, and the server's message quotes it in every language.
constexpr std::string_view kFindsAnother = "rowferry finds another checkpoint";
}  // namespace

bool is_refusal(std::string_view sqlstate, std::string_view message) { return sqlstate == "22P02" && message.find(kFindsAnother) != std::string_view::npos; }

PgStatement statement() {
    PgStatement statement;
    statement.name = "advance";
    statement.sql = fmt::format("UPDATE rowferry.checkpoint SET position = CASE WHEN position = $5 AND term = $6 AND state = 'ready' THEN $1 "
                                "ELSE ('{}' || left(position, 0))::integer::text END, "
                                // How the transaction is to be committed rides along.
                                "acked = CASE WHEN pg_catalog.set_config('synchronous_commit', $8, true) IS NOT NULL THEN $1 END, resume = coalesce($2, resume), leader = coalesce($7, leader), "
                                "commit_time_us = CASE WHEN $3 = 0 THEN commit_time_us ELSE $3 END WHERE stream = $4",
                                kFindsAnother);
    statement.types = {kTextOid, kByteaOid, kInt8Oid, kTextOid, kTextOid, kInt8Oid, kTextOid, kTextOid};
    statement.formats = {0, 1, 0, 0, 0, 0, 0, 0};
    return statement;
}

}  // namespace pg_advance

PgAdvanceValues::PgAdvanceValues(const From& from, const CheckpointAdvance& advance, std::string_view synchronous_commit)
    : position_{to_string(from.kind, advance.position)},
      time_{std::to_string(advance.commit_time_us)},
      stream_{from.stream},
      old_position_{to_string(from.kind, from.position)},
      term_{std::to_string(from.term)},
      leader_{advance.leader == nullptr ? std::string{} : to_string(*advance.leader)},
      synchronous_commit_{synchronous_commit} {
    // An empty blob is not NULL: a pointer to something is needed.
    const char* const resume = advance.resume.data() == nullptr ? "" : advance.resume.data();
    values_ = {position_.c_str(),
               advance.keep_resume ? nullptr : resume,
               time_.c_str(),
               stream_.c_str(),
               old_position_.c_str(),
               term_.c_str(),
               advance.leader == nullptr ? nullptr : leader_.c_str(),
               synchronous_commit_.c_str()};
    lengths_[1] = advance.keep_resume ? 0 : static_cast<int>(advance.resume.size());
}

}  // namespace rowferry
