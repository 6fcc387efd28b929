#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowferry {

/// What a statement is to the transaction it stands in, by its first words.
struct ScriptVerb {
    enum class Kind : std::uint8_t {
        begin,
        commit,
        rollback,
        savepoint,     ///< `name`
        release,       ///< `name`
        rollback_to,   ///< `name`
        pragma,        ///< `name` without its schema; `assigns` when it has a value
        vacuum,
        other,
    };
    Kind kind = Kind::other;
    std::string name = {};
    bool assigns = false;
    bool exclusive = false;  ///< BEGIN EXCLUSIVE.
};
[[nodiscard]] ScriptVerb script_verb(std::string_view sql);

/// Savepoints that are open, as SQLite counts them. One that is opened outside of a transaction begins one, and its release ends it.
class SavepointStack {
public:
    void open(const std::string& name) { names_.push_back(name); }
    /// False: there is none of that name.
    bool release(const std::string& name);
    /// It stays open itself.
    bool roll_back_to(const std::string& name);
    [[nodiscard]] bool empty() const noexcept { return names_.empty(); }
    void clear() noexcept { names_.clear(); }

private:
    std::vector<std::string> names_;
};

}  // namespace rowferry
