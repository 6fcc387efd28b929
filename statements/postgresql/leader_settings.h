#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "db/pg_session.h"
#include "decoder/pg_log/log_settings.h"

namespace rowferry {

/// What a leader says of its log. Throws RefusedError for settings, of the server, the database or any role, with which the log cannot be followed.
[[nodiscard]] LogSettings settings_of_leader(PgSession& leader, const std::vector<std::string>& paths);
/// The log shows transaction numbers (%x). Throws RefusedError.
void check_shows_xids(const LogSettings& settings);
/// … and who a session is (%u), where roles have settings of their own. Throws RefusedError.
void check_shows_users(const LogSettings& settings, const std::map<std::string, std::vector<std::pair<std::string, std::string>>>& roles);

/// Settings that change what statements mean, as a list of SQL constants.
[[nodiscard]] const std::string& meaningful_settings();
/// What sessions of the leader begin with, of these: values as DDL has them. That of the database and the server, whatever rowferry's own role has; throws RefusedError where that cannot be told.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> session_defaults(PgSession& leader);
/// What the leader logs, and by which isolation its sessions run: of the server and the database, and of roles that have it of their own. For comparison only. Throws RefusedError.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> logging_settings(PgSession& leader);
/// What is written to the leader by a subscription of its own is in no log of statements. Throws RefusedError where it has one that is enabled.
void check_has_no_subscription(PgSession& leader);
/// ALTER ROLE … SET, for the leader's database.
[[nodiscard]] std::map<std::string, std::vector<std::pair<std::string, std::string>>> role_defaults(PgSession& leader);

/// The scratch's database has to compare, sort and print as the leader's does. Throws RefusedError. Before it is filled.
void check_is_alike(PgSession& leader, PgSession& scratch);
/// … and to have the same versions of the same extensions. Behind that.
void check_same_extensions(PgSession& leader, PgSession& scratch);

}  // namespace rowferry
