#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "statements/sqlite/script_splitter.h"
#include "statements/sqlite/script_verb.h"
#include "statements/sqlite/transaction_reader.h"

namespace rowferry {

/// SQL text in files, with BEGIN and COMMIT, as a statement log: what an application wrote down, or the sqlite3 program's .dump. A statement outside of BEGIN is a transaction of its own. Files
/// are read one after the other in the order in which they were given, those of a pattern by name; the last one may grow, and new ones that match a pattern are added. Positions are
/// number of the file and offset, `log:1:2048`.
class SqlFileLog : public TransactionReader {
public:
    /// `known`: what noted() said earlier: the files that were read, in their order. Empty: none. Throws HaltError when one of those that were done with has grown.
    SqlFileLog(std::vector<std::string> patterns, const std::string& known);

    /// What comes next stands behind this position. `tag` as it was given with it; empty: it is not compared. Throws HaltError when the file is another one now.
    void seek(Position position, const std::string& tag);

    std::optional<TransactionStart> begin() override;
    std::optional<RecordedStatement> next() override;
    [[nodiscard]] Outcome outcome() const override { return outcome_; }
    [[nodiscard]] TransactionEnd end() const override;
    void accept() override;
    void abandon() override;
    [[nodiscard]] std::string place() const override;
    [[nodiscard]] bool checked() const override { return false; }

    /// The files in their order, and how large those were that are done with. TransactionEnd has it where a transaction is the first one of its file.
    [[nodiscard]] std::string noted() const;
    /// The end of what is complete now, without running anything. The reader is at the same place afterwards.
    [[nodiscard]] Position end_of_log();
    /// The file that may grow.
    [[nodiscard]] const std::string& last_file() const { return files_.back(); }
    /// Statements that concern no rows and were passed over: PRAGMA journal_mode, VACUUM and the like.
    [[nodiscard]] std::uint64_t passed_over() const noexcept { return passed_over_; }

private:
    class File;
    struct Spot {
        std::size_t file = 0;  ///< Index of files_.
        std::uint64_t offset = 0;
        std::uint64_t line = 1;
    };
    void expand();
    void read_known(const std::string& known);
    void require_same() const;
    void require_finished() const;
    [[nodiscard]] std::optional<std::uint64_t> unfinished();
    void go_to(const Spot& spot);
    [[nodiscard]] std::optional<ScriptStatement> read_statement();
    [[nodiscard]] bool next_file();
    [[nodiscard]] bool passes_over(const ScriptStatement& statement, const ScriptVerb& verb, TransactionStart& start);
    [[nodiscard]] RecordedStatement take(const ScriptStatement& statement);
    [[nodiscard]] std::string tag_before(const Spot& spot) const;
    [[noreturn]] void fail(std::uint64_t line, const std::string& what) const;

    std::vector<std::string> patterns_;
    std::vector<std::string> files_;
    std::vector<std::uint64_t> sizes_;  ///< In bytes, of the files that are done with: the first ones of files_.
    std::size_t noted_ = 0;             ///< The file of which noted() was last written down.
    std::shared_ptr<File> file_;
    std::string tail_;                  ///< The last bytes of the file that were read, and where they end: they have to stay.
    std::uint64_t tail_end_ = 0;
    std::chrono::steady_clock::time_point next_look_{};  ///< At the files that are done with.
    ScriptSplitter splitter_;
    Spot done_;     ///< Behind the last transaction that was accepted.
    Spot now_;      ///< Behind the last statement that was taken.
    std::uint64_t read_to_ = 0;      ///< Bytes of the file that the splitter has.
    std::size_t piece_;              ///< To read next.
    std::optional<std::uint64_t> ended_at_;  ///< The file's size when it had no further transaction.
    Outcome outcome_ = Outcome::incomplete;
    bool within_ = false;            ///< Between BEGIN and its end.
    std::optional<RecordedStatement> alone_;  ///< A transaction of one statement, not given yet.
    SavepointStack savepoints_;
    bool by_savepoint_ = false;
    std::uint64_t line_ = 1;         ///< Of the last statement.
    std::uint64_t passed_over_ = 0;
};

}  // namespace rowferry
