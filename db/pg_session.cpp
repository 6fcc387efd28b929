#include "db/pg_session.h"

#include <charconv>

#include <fmt/format.h>
#include <pqxx/pqxx>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

PgRows copy_out(const pqxx::result& result) {
    std::vector<PgRows::Row> rows;
    rows.reserve(static_cast<std::size_t>(result.size()));
    for (const auto& source : result) {
        PgRows::Row row;
        row.reserve(static_cast<std::size_t>(source.size()));
        for (const auto& field : source) {
            if (field.is_null())
                row.emplace_back(std::nullopt);
            else
                row.emplace_back(std::string{field.c_str(), static_cast<std::size_t>(field.size())});
        }
        rows.push_back(std::move(row));
    }
    return {std::move(rows), static_cast<std::size_t>(result.affected_rows())};
}

/// The server's message without DETAIL and what follows: that part may hold row values.
std::string primary_message(std::string_view what) { return printable(what.substr(0, what.find("\nDETAIL"))); }

/// Runs `action` and turns libpqxx's exceptions into ours. libpqxx 6 gives no SQLSTATE with a transaction_rollback; class 40 is what
/// that exception stands for in both versions.
template <typename Action>
auto translated(const Action& action) {
    try {
        return action();
    } catch (const pqxx::broken_connection& error) {
        throw PgError{"", primary_message(error.what())};
    } catch (const pqxx::transaction_rollback& error) {
        throw PgError{"40000", primary_message(error.what())};
    } catch (const pqxx::insufficient_privilege& error) {  // libpqxx 6 gives these four no SQLSTATE
        throw PgError{"42501", primary_message(error.what())};
    } catch (const pqxx::undefined_table& error) {
        throw PgError{"42P01", primary_message(error.what())};
    } catch (const pqxx::undefined_column& error) {
        throw PgError{"42703", primary_message(error.what())};
    } catch (const pqxx::undefined_function& error) {
        throw PgError{"42883", primary_message(error.what())};
    } catch (const pqxx::sql_error& error) {
        throw PgError{error.sqlstate().empty() ? "XX000" : error.sqlstate(), primary_message(error.what())};
    } catch (const pqxx::failure& error) {
        throw PgError{"XX000", primary_message(error.what())};
    }
}

}  // namespace

std::string PgRows::text(std::size_t row, std::size_t column) const { return rows_.at(row).at(column).value_or(std::string{}); }

std::int64_t PgRows::integer(std::size_t row, std::size_t column) const {
    const std::string value = text(row, column);
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (failure != std::errc{} || end != value.data() + value.size())
        throw HaltError{fmt::format("the server answered \"{}\" where a number was expected", printable(value, 40))};
    return number;
}

struct PgSession::Impl {
    pqxx::connection connection;
    std::unique_ptr<pqxx::nontransaction> statements;
    explicit Impl(const std::string& conninfo) : connection{conninfo} {
#if PQXX_VERSION_MAJOR < 7
        // Version 6 reconnects silently and would lose the session's settings. The call is marked deprecated because version 7 has no
        // such reconnects any more.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
        statements = std::make_unique<pqxx::nontransaction>(connection);
    }
};

PgSession::PgSession(const PgConninfo& conninfo, PgRole role, const std::string& application_name)
    : impl_{translated([&] {
          try {
              return std::make_unique<Impl>(conninfo.with({{"application_name", application_name}}));
          } catch (const pqxx::broken_connection& error) {
              throw PgError{"", fmt::format("{}: {}", conninfo.describe(), printable(error.what()))};
          }
      })} {
    query(session_settings(role));
}

PgSession::~PgSession() = default;

PgRows PgSession::query(const std::string& sql) {
    return translated([&] { return copy_out(impl_->statements->exec(sql)); });
}

PgRows PgSession::query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
    return translated([&] {
#if PQXX_VERSION_MAJOR < 7
        std::vector<const char*> values;
        values.reserve(parameters.size());
        for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
        return copy_out(impl_->statements->exec_params(sql, pqxx::prepare::make_dynamic_params(values)));
#else
        pqxx::params values;
        for (const auto& value : parameters) values.append(value);
        return copy_out(impl_->statements->exec(sql, values));
#endif
    });
}

int PgSession::server_version() const noexcept { return impl_->connection.server_version(); }

PgTransaction::PgTransaction(PgSession& session, const std::string& begin) : session_{session} { session_.query(begin); }

PgTransaction::~PgTransaction() {
    if (!open_) return;
    try {
        session_.query("ROLLBACK");
    } catch (const Error&) {  // the connection is gone, and the transaction with it
    }
}

void PgTransaction::commit() {
    session_.query("COMMIT");
    open_ = false;
}

}  // namespace rowferry
