#include "triggers/sqlite/create_sql.h"

#include <cctype>

namespace rowferry {
namespace {

/// Gives the bare words of a statement in upper case, one after the other; everything else is passed over.
class WordScanner {
public:
    explicit WordScanner(std::string_view sql) : sql_{sql} {}

    /// Empty at the end.
    std::string next() {
        while (at_ < sql_.size()) {
            const char c = sql_[at_];
            if (c == '\'' || c == '"' || c == '`')
                skip_quoted(c);
            else if (c == '[')
                skip_past("]");
            else if (sql_.substr(at_).starts_with("--"))
                skip_past("\n");
            else if (sql_.substr(at_).starts_with("/*"))
                skip_past("*/");
            else if (is_word(c))
                return word();
            else
                ++at_;
        }
        return {};
    }

private:
    static bool is_word(char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    }

    std::string word() {
        std::string text;
        for (; at_ < sql_.size() && is_word(sql_[at_]); ++at_)
            text += static_cast<char>(std::toupper(static_cast<unsigned char>(sql_[at_])));
        return text;
    }

    // A doubled quote inside reads as the end and a new beginning, which comes to the same.
    void skip_quoted(char quote) {
        const auto end = sql_.find(quote, at_ + 1);
        at_ = end == std::string_view::npos ? sql_.size() : end + 1;
    }

    void skip_past(std::string_view end) {
        const auto found = sql_.find(end, at_ + 1);
        at_ = found == std::string_view::npos ? sql_.size() : found + end.size();
    }

    std::string_view sql_;
    std::size_t at_ = 0;
};

}  // namespace

CreateTableFacts read_create_table(std::string_view sql) {
    CreateTableFacts facts;
    WordScanner scanner{sql};
    std::string before;
    for (std::string word = scanner.next(); !word.empty(); word = scanner.next()) {
        if (word == "CHECK") facts.has_check = true;
        if (word == "REFERENCES") facts.foreign_keys.emplace_back();
        if (!facts.foreign_keys.empty()) {
            if (word == "DEFERRABLE") facts.foreign_keys.back() = {before != "NOT", false};
            if (word == "DEFERRED" && before == "INITIALLY" && facts.foreign_keys.back().deferrable)
                facts.foreign_keys.back().initially_deferred = true;
        }
        before = word;
    }
    return facts;
}

}  // namespace rowferry
