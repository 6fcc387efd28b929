#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

/// How a PostgreSQL server is reached: the user's URI as it was given, so that every reconnect uses all of it (sslmode, passfile,
/// service, target_session_attrs …). Holds secrets: never log it, log describe().
class PgConninfo {
public:
    /// Throws UsageError (without the text: it may hold a password) when libpq cannot parse it.
    explicit PgConninfo(std::string uri);

    /// The same with further keywords set, in libpq's keyword='value' form. Later ones win.
    struct Keyword {
        std::string name;
        std::string value;
    };
    [[nodiscard]] std::string with(const std::vector<Keyword>& keywords) const;

    /// `postgresql://host:port/dbname` without user, password and options.
    [[nodiscard]] std::string describe() const;

private:
    std::string uri_;
};

/// What every SQL session of ours sets right after connecting, so that values have one text form and nothing depends on the role's or
/// the database's own settings. A leader session adds synchronous_commit = local: a leader that waits for rowferry would wait for itself.
enum class PgRole { leader, follower };
[[nodiscard]] std::string session_settings(PgRole role);

}  // namespace rowferry
