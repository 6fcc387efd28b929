#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decoder/pg_log/logged_transaction.h"
#include "statements/postgresql/parameter_uses.h"
#include "statements/postgresql/server_catalog.h"

namespace rowferry {

/// A column's type, or that of a cast, as far as it says what becomes of a parameter.
struct ParameterType {
    std::string name;           ///< Below all domains, as pg_type has it: int4.
    char kind = 'b';            ///< pg_type.typtype: e for an enum.
    bool builtin = true;        ///< PostgreSQL's own.
    int digits = 0;             ///< Of a numeric(p, s): p; else 0.
    bool own_casts = false;     ///< Somebody made casts or operators between it and other types, which a parameter of such a type would have used.
    bool casts = false;         ///< Other types can be assigned to it.
};

/// What the session's extra_float_digits make of floating-point numbers in the log.
enum class FloatText {
    unknown,  ///< What the session said when it connected is in no log.
    exact,    ///< It was set to 1 or more.
    rounded,  ///< It is 0 or less.
};

/// Does a parameter come to the same at that place, whichever type the driver gave it, as when its text is read there without a type? A parameter of another type would be cast to
/// the column's, or be compared by another operator: what is determined is where that is the same for each type that could have been written like this. Empty: it does; else what is in doubt.
/// Pure.
[[nodiscard]] std::string parameter_doubt(ParameterUse::Place place, const ParameterType& type, const std::string& value, FloatText floats);

/// Asks the catalog for the types. One thread.
class ParameterTypes {
public:
    explicit ParameterTypes(PgSession& session) : session_{session} {}

    /// Why the statement's parameters may have come to something else; empty: they have not. `settings_moved`: its transaction set something before. Throws StatementError.
    [[nodiscard]] std::string doubt(const LoggedStatement& statement, const LoggedSession& session, bool settings_moved, ServerCatalog& catalog);
    /// The catalog changed.
    void forget() {
        columns_.clear();
        types_.clear();
    }
    /// The extra_float_digits that sessions begin with, and those of single roles.
    void set_float_digits(int digits, std::map<std::string, int> by_role) {
        default_float_digits_ = digits;
        role_float_digits_ = std::move(by_role);
    }

private:
    using Columns = std::vector<std::pair<std::string, ParameterType>>;
    [[nodiscard]] const Columns& columns_of(const CatalogTable& table);
    [[nodiscard]] const std::optional<ParameterType>& type_named(const std::string& name);
    [[nodiscard]] std::vector<const ParameterType*> types_at(const ParameterUse& use, ServerCatalog& catalog);
    [[nodiscard]] FloatText floats_of(const LoggedSession& session) const;

    PgSession& session_;
    std::map<std::uint32_t, Columns> columns_;
    std::map<std::string, std::optional<ParameterType>> types_;
    std::map<std::string, std::shared_ptr<const std::vector<ParameterUse>>> uses_;  ///< By statement: a driver sends the same ones.
    int default_float_digits_ = 1;
    std::map<std::string, int> role_float_digits_;
};

}  // namespace rowferry
