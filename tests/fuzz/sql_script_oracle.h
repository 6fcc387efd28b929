#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sqlite3.h>

#include "statements/sqlite/script_splitter.h"

namespace rowferry::test {

/// What is wrong with how the splitter takes `script` apart when it comes in pieces of `piece` bytes; empty when nothing is. Each statement has to be one that SQLite calls complete, and no
/// shorter text of it that ends in a semicolon may be; nothing but comments, white space and semicolons lies between them; pieces of any size give the same.
inline std::string script_problem(const std::string& script, std::size_t piece) {
    struct Found {
        std::uint64_t begin, end, line;
    };
    const auto split = [&](std::size_t size, std::vector<Found>& found) {
        ScriptSplitter splitter;
        std::string problem;
        for (std::size_t at = 0; at < script.size(); at += size) {
            splitter.push(std::string_view{script}.substr(at, size));
            while (const auto statement = splitter.next()) {
                if (statement->end > script.size() || statement->begin >= statement->end) return std::string{"a statement outside of the script"};
                if (statement->sql != std::string_view{script}.substr(statement->begin, statement->end - statement->begin)) problem = "the text is not that of its place";
                found.push_back({statement->begin, statement->end, statement->line});
            }
        }
        if (splitter.place() > script.size()) problem = "its place lies behind the script";
        const ScriptStatement rest = splitter.rest();
        if (!rest.sql.empty() && (rest.end != script.size() || rest.sql != std::string_view{script}.substr(rest.begin))) problem = "the rest is not that of its place";
        return problem;
    };
    std::vector<Found> whole;
    std::vector<Found> pieces;
    if (std::string problem = split(script.size() + 1, whole); !problem.empty()) return problem;
    if (std::string problem = split(piece, pieces); !problem.empty()) return problem;
    if (whole.size() != pieces.size()) return fmt::format("{} statements at once, {} in pieces of {}", whole.size(), pieces.size(), piece);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole[i].begin != pieces[i].begin || whole[i].end != pieces[i].end || whole[i].line != pieces[i].line) return "in pieces a statement is another one";
        const std::string sql = script.substr(whole[i].begin, whole[i].end - whole[i].begin);
        if (sql.find('\0') != std::string::npos) continue;  // SQLite's texts end there
        if (sqlite3_complete(sql.c_str()) != 1) return "SQLite does not call it complete: " + sql;
        for (std::size_t at = sql.find(';'); at + 1 < sql.size(); at = sql.find(';', at + 1))
            if (sqlite3_complete(sql.substr(0, at + 1).c_str()) == 1) return "SQLite calls less complete: " + sql;
    }
    return {};
}

}  // namespace rowferry::test
