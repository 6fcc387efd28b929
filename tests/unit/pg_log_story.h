#pragma once

#include <cctype>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "decoder/pg_log/log_reader.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {

/// A gate that knows a few kinds of statements and nothing else: `UPDATE t … WHERE id = N` and nothing behind it, `INSERT INTO t VALUES (N…`, other UPDATEs and DELETEs (the
/// whole table), `INSERT … SELECT … FROM t` (reads all of it). Everything else touches nothing.
class SimpleTouches : public Touches {
public:
    std::vector<Touch> touches(const LoggedTransaction& transaction) override {
        ++asked;
        std::vector<Touch> out;
        for (std::uint32_t i = 0; i < transaction.statements.size(); ++i) {
            const std::string& sql = transaction.statements[i].sql;
            const auto word_behind = [&](const std::string& before) {
                const std::size_t at = sql.find(before) + before.size();
                return sql.substr(at, sql.find_first_of(" (;\n", at) - at);
            };
            if (sql.starts_with("UPDATE ") || sql.starts_with("DELETE FROM ")) {
                const std::string table = word_behind(sql.starts_with("U") ? "UPDATE " : "DELETE FROM ");
                const std::size_t where = sql.find(" WHERE id = ");
                std::string value = where == std::string::npos ? "" : sql.substr(where + 12);
                const auto& parameters = transaction.statements[i].parameters;
                if (value == "$2" && parameters.size() == 2) value = parameters[1].value_or("");
                const bool pinned = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
                out.push_back({table, pinned ? "id" : "", value, pinned ? TouchMode::locks : TouchMode::reads, true, i});
            } else if (sql.starts_with("INSERT INTO ") && sql.find(" SELECT ") != std::string::npos) {
                out.push_back({word_behind("FROM "), "", "", TouchMode::reads, false, i});
            } else if (sql.starts_with("INSERT INTO ") && sql.find("VALUES (") != std::string::npos) {
                std::string value = sql.substr(sql.find("VALUES (") + 8);
                value.resize(std::min(value.find_first_of(",)"), value.size()));
                const auto& parameters = transaction.statements[i].parameters;
                if (value.starts_with("$1") && !parameters.empty()) value = parameters[0].value_or("");
                out.push_back({word_behind("INSERT INTO "), "id", value, TouchMode::inserts, true, i});
            }
        }
        return out;
    }
    std::size_t asked = 0;
};

/// One line per transaction: its statements with their parameters and prepared texts, then what else is said about it.
inline std::string told(const LoggedTransaction& transaction) {
    std::string out;
    for (const LoggedStatement& one : transaction.statements) {
        if (!out.empty()) out += one.own_message ? " | " : " + ";
        for (const char c : one.sql) out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
        for (const auto& value : one.parameters) out += value ? fmt::format(" <{}>", *value) : " <null>";
        if (!one.prepared.empty()) out += " [" + one.prepared + "]";
    }
    if (transaction.explicit_block) out += " (block)";
    if (!transaction.isolation.empty()) out += " (" + transaction.isolation + ")";
    if (!transaction.gid.empty()) out += " gid " + transaction.gid;
    for (const auto& [name, sql] : transaction.session->settings) out += fmt::format(" with {}: {}", name, sql);
    if (transaction.began_before_log) out += " (began before)";
    return out;
}

struct LogRead {
    std::vector<LoggedTransaction> transactions;
    std::vector<std::string> told;
    std::vector<std::string> warnings;
    std::optional<LogStop> stopped;
    std::uint64_t line = 0;
    std::string what;
    LogReader::Counters counters;
};

/// Everything that a log has to its end, or to where reading stops.
inline LogRead read_log(const LogSettings& settings, std::string_view resume = {}) {
    LogRead out;
    SimpleTouches touches;
    LogReader reader{settings, touches, resume};
    try {
        bool finished = false;
        for (;;) {
            auto transaction = reader.next();
            for (auto& one : reader.take_warnings()) out.warnings.push_back(std::move(one));
            if (transaction) {
                out.told.push_back(told(*transaction));
                out.transactions.push_back(std::move(*transaction));
            } else if (finished) {
                break;
            } else {
                reader.finish();
                finished = true;
            }
        }
    } catch (const LogError& error) {
        out.stopped = error.reason();
        out.line = error.place().line;
        out.what = error.what();
    }
    out.counters = reader.counters();
    return out;
}

/// A log file of this test's own.
class LogFolder {
public:
    LogFolder() : path_{new_temp_dir("pg_log")} {}
    [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }
    void write(const std::string& name, const std::string& text) const { std::ofstream{path_ / name, std::ios::binary} << text; }
    void append(const std::string& name, const std::string& text) const { std::ofstream{path_ / name, std::ios::binary | std::ios::app} << text; }

private:
    std::filesystem::path path_;
};

/// A small hand-made log in stderr's format, with everything that a prefix can say: each line is "SESSION text", where a text without a severity is a LOG line. Sessions are
/// letters; `A/` is a line of session A's without a virtual transaction. `tick` milliseconds pass between lines.
class StoryLog {
public:
    static constexpr const char* kPrefix = "%m [%p] %c %l %v %x %q%u@%d ";

    StoryLog& say(char session, std::string text, const std::string& transaction = "") {
        const int pid = 1000 + session - 'A';
        if (text.find(":  ") == std::string::npos) text = "LOG:  " + text;
        for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.insert(at + 1, "\t");
        time_ += 5;
        text_ += fmt::format("2026-11-20 12:{:02}:{:02}.{:03} UTC [{}] 691f0000.{:x} {} {} 0 ann@shop {}\n", time_ / 60000 % 60, time_ / 1000 % 60, time_ % 1000, pid, pid, ++numbers_[session - 'A'], transaction, text);
        return *this;
    }
    /// log_statement: a line before execution.
    StoryLog& run(char session, const std::string& sql) { return say(session, "statement: " + sql); }
    StoryLog& execute(char session, const std::string& sql, const std::string& transaction) { return say(session, "execute <unnamed>: " + sql, transaction); }
    StoryLog& done(char session) { return say(session, "duration: 0.123 ms"); }
    /// log_min_duration_statement = 0: a line after it.
    StoryLog& ran(char session, const std::string& sql, double milliseconds = 0.1) { return say(session, fmt::format("duration: {:.3f} ms  statement: {}", milliseconds, sql)); }
    StoryLog& fails(char session, const std::string& sql) { return say(session, "ERROR:  it fails").say(session, "STATEMENT:  " + sql); }
    StoryLog& server(const std::string& text) {
        time_ += 5;
        text_ += fmt::format("2026-11-20 12:{:02}:{:02}.{:03} UTC [900] 691f0000.384 {}  0 LOG:  {}\n", time_ / 60000 % 60, time_ / 1000 % 60, time_ % 1000, ++server_, text);
        return *this;
    }
    StoryLog& pass(int milliseconds) {
        time_ += milliseconds;
        return *this;
    }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] LogSettings settings() const {
        folder_.write("pg.log", text_);
        LogSettings out;
        out.paths = {folder_.path("pg.log")};
        out.database = "shop";
        out.complete = true;
        out.line_prefix = kPrefix;
        return out;
    }
    [[nodiscard]] LogRead read() const { return read_log(settings()); }

private:
    LogFolder folder_;
    std::string text_;
    int numbers_[26] = {};
    int server_ = 0;
    int time_ = 0;
};

}  // namespace rowferry::test
