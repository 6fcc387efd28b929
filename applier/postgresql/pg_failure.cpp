#include "applier/postgresql/pg_failure.h"

#include <charconv>

#include <fmt/format.h>

#include "applier/postgresql/pg_types.h"
#include "db/pg_error.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

std::string field(const PGresult* result, int code) {
    const char* text = result == nullptr ? nullptr : PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
}

std::optional<std::uint64_t> number_at(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end == text.data()) return std::nullopt;
    return number;
}

/// `COPY t, line 57, column id: "…"`. The words may be in any language, the numbers and names are not.
void read_copy_context(std::string_view context, std::string_view relation, PgDiagnosis& diagnosis) {
    const auto name = context.find(relation);
    if (name == std::string_view::npos) return;
    context.remove_prefix(name + relation.size());
    const auto digit = context.find_first_of("0123456789");
    if (digit == std::string_view::npos) return;
    context.remove_prefix(digit);
    diagnosis.line = number_at(context);
    context.remove_prefix(std::min(context.find_first_not_of("0123456789"), context.size()));
    if (!diagnosis.column.empty() || !context.starts_with(", ")) return;
    context.remove_prefix(2);
    const auto space = context.find(' ');
    const auto colon = context.find(": ");
    if (space != std::string_view::npos && colon != std::string_view::npos && space < colon)
        diagnosis.column = context.substr(space + 1, colon - space - 1);
}

/// The server names no column when a value exceeds a modifier: find the one that does.
std::string exceeding_column(const PgTablePlan& plan, const Change& change) {
    for (std::size_t i = 0; i < change.after.size(); ++i) {
        const Cell& cell = change.after[i];
        if (!plan.column(i).limited || cell.kind() != CellKind::text) continue;
        if (exceeds_modifier(plan.column(i).follower->base_type, cell.bytes())) return plan.column(i).follower->name;
    }
    return "";
}

std::string_view verb(Operation operation) {
    switch (operation) {
        case Operation::insert: return "insert";
        case Operation::update: return "update";
        case Operation::remove: return "delete";
    }
    return "";
}

std::string subject(const PgTablePlan& plan, const Change& change, const PgPlace& place) {
    return fmt::format("{} of {}, {}, {}", verb(change.operation), to_string(plan.follower().name), plan.describe_key(change),
                       to_string(place));
}

}  // namespace

PgDiagnosis diagnose(const PGresult* result, PGconn* connection, std::string_view relation) {
    PgDiagnosis diagnosis;
    diagnosis.sqlstate = field(result, PG_DIAG_SQLSTATE);
    diagnosis.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (diagnosis.message.empty()) diagnosis.message = PQerrorMessage(connection);
    diagnosis.message = printable(diagnosis.message);
    diagnosis.column = field(result, PG_DIAG_COLUMN_NAME);
    diagnosis.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    const std::string context = field(result, PG_DIAG_CONTEXT);
    if (!relation.empty()) {
        read_copy_context(context, relation, diagnosis);
    } else if (const auto dollar = context.find('$'); dollar != std::string::npos) {
        if (const auto number = number_at(std::string_view{context}.substr(dollar + 1)); number && *number > 0)
            diagnosis.parameter = static_cast<std::size_t>(*number - 1);
    }
    return diagnosis;
}

std::string to_string(const PgPlace& place) {
    if (place.commit) return "position " + to_string(place.kind, *place.commit);
    return "in the transaction after position " + to_string(place.kind, place.after);
}

void fail_change(const PgTablePlan& plan, const Change& change, const PgStatement* statement, const PgDiagnosis& diagnosis,
                 const PgPlace& place) {
    const std::string where = subject(plan, change, place);
    if (kind_of_sqlstate(diagnosis.sqlstate) == ErrorKind::retryable)
        throw PgError{diagnosis.sqlstate, fmt::format("{}: {}", where, diagnosis.message)};
    if (diagnosis.sqlstate == "23505") {
        if (change.operation == Operation::insert)
            throw HaltError{fmt::format(
                "{}: the row is already there ({}). Somebody else writes to the follower: remove the row there, or copy the table again",
                where, printable(diagnosis.constraint, 80))};
        throw HaltError{
            fmt::format("{}: another row of the follower has the same {}. Somebody else writes to the follower: remove that row, or copy "
                        "the table again",
                        where, printable(diagnosis.constraint, 80))};
    }
    std::string column = diagnosis.column;
    if (column.empty() && diagnosis.parameter && statement != nullptr && *diagnosis.parameter < statement->parameters.size())
        column = plan.column(statement->parameters[*diagnosis.parameter].column).follower->name;
    if (column.empty() && diagnosis.sqlstate.starts_with("22")) column = exceeding_column(plan, change);
    throw HaltError{fmt::format("{}{}{}: {} (SQLSTATE {})", where, column.empty() ? "" : ", column ", printable(column, 80),
                                diagnosis.message, diagnosis.sqlstate)};
}

void fail_count(const PgTablePlan& plan, const Change& change, std::uint64_t rows, const PgPlace& place) {
    const std::string where = subject(plan, change, place);
    if (rows == 0)
        throw HaltError{
            fmt::format("{}: the row is missing on the follower. Somebody else writes to the follower, or it was not copied whole: copy "
                        "the table again",
                        where)};
    throw HaltError{fmt::format("{}: {} rows instead of one. The follower's table needs a unique key over the same columns as the leader's",
                                where, rows)};
}

void fail_value(const PgTablePlan& plan, const Change& change, std::string_view why, const PgPlace& place) {
    throw HaltError{fmt::format("{}, {}", subject(plan, change, place), why)};
}

}  // namespace rowferry
