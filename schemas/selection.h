#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/table_schema.h"

namespace rowferry {

/// One pattern with pg_dump's meaning: `[schema.]name`, `*` and `?` are wildcards, regular-expression classes such as [0-9] and | work,
/// letters fold to lower case unless in double quotes, a doubled quote inside quotes is a quote. On a SQLite leader names compare
/// without regard to case (ASCII), as SQLite does. Without a schema part a pattern means that name in every schema.
class TablePattern {
public:
    /// `schema_only`: the pattern is a --schema pattern, a dot in it has to be quoted. Throws UsageError for a malformed pattern.
    explicit TablePattern(std::string text, bool schema_only = false);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool matches(Engine engine, const TableName& table) const;

private:
    struct Matcher;  // compiled regular expressions; immutable, so copies share them

    std::string text_;
    std::shared_ptr<const Matcher> schema_;  // null: any schema
    std::shared_ptr<const Matcher> name_;    // null: any name (schema_only)
};

/// Which tables a stream replicates. As in pg_dump: with any --table, --schema has no effect; --exclude-table wins always.
struct TableSelection {
    std::vector<TablePattern> tables;
    std::vector<TablePattern> excluded;
    std::vector<TablePattern> schemas;

    [[nodiscard]] bool selects(Engine engine, const TableName& table) const;
    /// Patterns of --table and --schema that match none of `all`: a typing error more often than not. Those without effect are not judged.
    [[nodiscard]] std::vector<std::string> unmatched(Engine engine, const std::vector<TableName>& all) const;
    /// Stable text for the checkpoint, so that a later start with other patterns is noticed. The order in which patterns were given
    /// does not matter.
    [[nodiscard]] std::string canonical() const;
    /// The selection of a canonical text. Throws HaltError: the text comes from a checkpoint.
    [[nodiscard]] static TableSelection parse_canonical(std::string_view text);
};

}  // namespace rowferry
