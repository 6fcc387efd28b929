#include "applier/postgresql/pg_statement.h"

namespace rowferry {

PgStatement* PgUpdateStatements::find(const ColumnMask& mask) {
    if (last_ < known_.size() && known_[last_].mask == mask) return &known_[last_].statement;
    for (std::size_t i = 0; i < known_.size(); ++i)
        if (known_[i].mask == mask) {
            last_ = i;
            return &known_[i].statement;
        }
    return nullptr;
}

PgStatement& PgUpdateStatements::add(const ColumnMask& mask, PgStatement statement, const std::string& prefix) {
    last_ = known_.size();
    statement.name = prefix + std::to_string(last_);
    return known_.emplace_back(Known{mask, std::move(statement)}).statement;
}

}  // namespace rowferry
