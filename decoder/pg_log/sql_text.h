#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

/// What a statement is to the transaction and the session it runs in.
enum class SqlKind : std::uint8_t {
    other,
    begin, commit, rollback,
    savepoint, release, rollback_to,
    prepare_transaction, commit_prepared, rollback_prepared,
    set_transaction,      ///< SET TRANSACTION: of the running one.
    set_session,          ///< SET name: for the rest of the session, if the transaction is committed.
    set_local,
    reset, reset_all, discard_all,
    copy_from_stdin,
};

/// One statement of a text. Views live as long as the text.
struct SqlStatement {
    std::string_view text;  ///< Without the semicolon, spaces around it and comments before it.
    SqlKind kind = SqlKind::other;
    bool chain = false;               ///< AND CHAIN.
    std::string name;                 ///< Of a savepoint, a prepared transaction, a setting.
    std::string isolation;            ///< As LoggedTransaction has it; empty: not said.
    bool read_only = false;
    bool several = false;             ///< Outside of a block it may be several transactions: CALL, DO, and what is done CONCURRENTLY.
    bool unknown_snapshot = false;    ///< It says in an unknown way what the transaction sees: SET TRANSACTION SNAPSHOT.
    std::uint32_t parameters = 0;     ///< The largest $n in it.
};

/// Takes a query string apart as the server's own scanner would: quotes of all kinds, comments, nested parentheses, bodies in BEGIN ATOMIC … END.
/// What is not valid SQL gives some statements too. `backslashes`: standard_conforming_strings is off. `statements` is filled anew.
void split_sql(std::string_view text, bool backslashes, std::vector<SqlStatement>& statements);

}  // namespace rowferry
