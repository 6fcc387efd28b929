#include "db/pg_conninfo.h"

#include <memory>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

struct OptionsFree {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsFree>;

Options parse(const std::string& uri) {
    // libpq's own message quotes the URI, which may hold a password.
    Options options{PQconninfoParse(uri.c_str(), nullptr)};
    if (!options) throw UsageError{"the PostgreSQL URI cannot be parsed: expected postgresql://[user@][host][:port][/dbname][?keyword=value]"};
    return options;
}

std::string keyword(std::string_view name, std::string_view value) {
    std::string text = fmt::format("{}='", name);
    for (const char c : value) {
        if (c == '\'' || c == '\\') text += '\\';
        text += c;
    }
    return text + "' ";
}

}  // namespace

PgConninfo::PgConninfo(std::string uri) : uri_{std::move(uri)} {
    const Options options = parse(uri_);
    for (const auto* option = options.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr && std::string_view{option->keyword} == "host" && std::string_view{option->val}.find('@') != std::string_view::npos)
            throw UsageError{"the PostgreSQL URI has an @ in its host: in a user name or password it is written %40"};
}

std::string PgConninfo::with(const std::vector<Keyword>& keywords) const {
    const Options options = parse(uri_);
    // A peer that vanished without a word is noticed within half a minute, unless the URI says otherwise.
    std::string text = "keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000 ";
    for (const auto* option = options.get(); option->keyword != nullptr; ++option)
        if (option->val != nullptr) text += keyword(option->keyword, option->val);
    for (const auto& [name, value] : keywords) text += keyword(name, value);
    return text;
}

std::string PgConninfo::describe() const {
    const Options options = parse(uri_);
    std::string host;
    std::string port;
    std::string database;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        const std::string_view name = option->keyword;
        if (name == "host" || (name == "hostaddr" && host.empty())) host = option->val;
        if (name == "port") port = option->val;
        if (name == "dbname") database = option->val;
        if (name == "service" && database.empty()) database = fmt::format("?service={}", option->val);
    }
    return printable(fmt::format("postgresql://{}{}{}/{}", host, port.empty() ? "" : ":", port, database));
}

std::string session_settings(PgRole role) {
    std::string settings =
        "SET search_path = '';"
        "SET client_encoding = 'UTF8';"
        "SET standard_conforming_strings = on;"
        "SET DateStyle = 'ISO, MDY';"
        "SET IntervalStyle = 'postgres';"
        "SET TimeZone = 'UTC';"
        "SET extra_float_digits = 3;"
        "SET bytea_output = 'hex';"
        "SET lc_monetary = 'C';"
        "SET xmloption = 'content';"
        "SET row_security = off;"
        "SET default_transaction_read_only = off;"
        "SET statement_timeout = 0;"
        "SET lock_timeout = 0;"
        "SET idle_in_transaction_session_timeout = 0;"
        "SET idle_session_timeout = 0;"
        // PostgreSQL 17 and later.
        "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout';";
    if (role == PgRole::leader) settings += "SET synchronous_commit = local;";
    return settings;
}

}  // namespace rowferry
