#include "db/create_sql.h"

#include "schemas/sqlite_tokens.h"

namespace rowferry {
namespace {

/// A statement's tokens, walked once from the front. Parentheses are passed over as wholes.
class Walker {
public:
    explicit Walker(std::string_view sql) : sql_{sql}, tokens_{sqlite_tokens(sql)} {}

    [[nodiscard]] bool at_end() const { return at_ >= tokens_.size(); }
    [[nodiscard]] const SqliteToken& token() const { return tokens_[at_]; }
    [[nodiscard]] bool next_is_open(std::size_t ahead = 1) const { return at_ + ahead < tokens_.size() && tokens_[at_ + ahead].is_symbol("("); }
    [[nodiscard]] bool previous_is(std::string_view word) const { return at_ > 0 && tokens_[at_ - 1].is_word(word); }
    [[nodiscard]] std::size_t place() const { return at_; }
    void advance() { ++at_; }

    /// From an opening parenthesis to behind its closing one; gives the first and the last place inside.
    std::pair<std::size_t, std::size_t> pass_parentheses() {
        const std::size_t first = ++at_;
        for (int open = 1; at_ < tokens_.size(); ++at_) {
            open += token().is_symbol("(") ? 1 : token().is_symbol(")") ? -1 : 0;
            if (open == 0) break;
        }
        const std::size_t last = at_;
        if (at_ < tokens_.size()) ++at_;
        return {first, last};
    }

    /// The text of tokens [first, last), with one space where there was space or a comment.
    [[nodiscard]] std::string text(std::size_t first, std::size_t last) const {
        std::string result;
        for (std::size_t i = first; i < last; ++i) {
            if (i > first && tokens_[i].begin > tokens_[i - 1].end) result += ' ';
            result += sql_.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin);
        }
        return result;
    }

    [[nodiscard]] const SqliteToken& at(std::size_t place) const { return tokens_[place]; }
    [[nodiscard]] std::size_t size() const { return tokens_.size(); }

private:
    std::string_view sql_;
    std::vector<SqliteToken> tokens_;
    std::size_t at_ = 0;
};

/// The columns and constraints between the parentheses of a CREATE TABLE.
class TableBody {
public:
    TableBody(Walker& walker, CreateTableFacts& facts) : walker_{walker}, facts_{facts} {}

    void read() {
        bool item_begins = true;
        std::string column;
        std::string constraint;
        while (!walker_.at_end() && !walker_.token().is_symbol(")")) {
            const SqliteToken& token = walker_.token();
            if (item_begins) {
                column = token.value;
                constraint.clear();
                item_begins = false;
                // A column may be called by a word that begins a constraint only in quotes.
                if (!is_constraint(token)) {
                    walker_.advance();
                    continue;
                }
            }
            if (token.is_symbol(",")) item_begins = true;
            if (token.is_word("CONSTRAINT")) {
                walker_.advance();
                if (!walker_.at_end()) constraint = walker_.token().value;
            }
            foreign_key(token);
            if (token.is_word("CHECK") && walker_.next_is_open()) {
                walker_.advance();
                const auto [first, last] = walker_.pass_parentheses();
                facts_.checks.push_back({constraint, walker_.text(first, last)});
                constraint.clear();
            } else if (token.is_word("AS") && walker_.next_is_open()) {
                walker_.advance();
                const auto [first, last] = walker_.pass_parentheses();
                facts_.generated.emplace_back(column, walker_.text(first, last));
            } else if (token.is_symbol("(")) {
                walker_.pass_parentheses();
            } else if (!walker_.at_end()) {
                walker_.advance();
            }
        }
    }

private:
    static bool is_constraint(const SqliteToken& token) {
        for (const char* word : {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
            if (token.is_word(word)) return true;
        return false;
    }

    void foreign_key(const SqliteToken& token) {
        if (token.is_word("REFERENCES")) facts_.foreign_keys.emplace_back();
        if (facts_.foreign_keys.empty()) return;
        auto& key = facts_.foreign_keys.back();
        if (token.is_word("DEFERRABLE")) key = {!walker_.previous_is("NOT"), false};
        if (token.is_word("DEFERRED") && walker_.previous_is("INITIALLY") && key.deferrable) key.initially_deferred = true;
    }

    Walker& walker_;
    CreateTableFacts& facts_;
};

/// One key of an index without what only says how it is ordered.
std::string index_key(const Walker& walker, std::size_t first, std::size_t last) {
    if (last > first && (walker.at(last - 1).is_word("ASC") || walker.at(last - 1).is_word("DESC"))) --last;
    if (last > first + 2 && walker.at(last - 2).is_word("COLLATE")) last -= 2;
    return walker.text(first, last);
}

}  // namespace

CreateTableFacts read_create_table(std::string_view sql) {
    CreateTableFacts facts;
    Walker walker{sql};
    while (!walker.at_end() && !walker.token().is_symbol("(")) walker.advance();
    if (walker.at_end()) return facts;
    walker.advance();
    TableBody{walker, facts}.read();
    return facts;
}

CreateIndexFacts read_create_index(std::string_view sql) {
    CreateIndexFacts facts;
    Walker walker{sql};
    while (!walker.at_end() && !walker.token().is_symbol("(")) walker.advance();
    if (walker.at_end()) return facts;
    const auto [first, last] = walker.pass_parentheses();
    std::size_t key = first;
    int open = 0;
    for (std::size_t i = first; i <= last && i < walker.size(); ++i) {
        open += walker.at(i).is_symbol("(") ? 1 : walker.at(i).is_symbol(")") && i < last ? -1 : 0;
        if (i < last && (open > 0 || !walker.at(i).is_symbol(","))) continue;
        facts.keys.push_back(index_key(walker, key, i));
        key = i + 1;
    }
    if (!walker.at_end() && walker.token().is_word("WHERE")) facts.predicate = walker.text(walker.place() + 1, walker.size());
    return facts;
}

}  // namespace rowferry
