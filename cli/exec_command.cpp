#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "cli/commands.h"
#include "schemas/error.h"
#include "schemas/identifier.h"
#include "statements/sqlite/script_runner.h"
#include "statements/sqlite/script_splitter.h"

namespace rowferry {
namespace {

constexpr std::size_t kFirstPiece = 64 * 1024;
constexpr std::size_t kLargestPiece = 64 * 1024 * 1024;
constexpr std::size_t kPrintAt = 64 * 1024;

/// Rows of queries on their way to standard output.
class RowPrinter {
public:
    void add(sqlite3_stmt* row) {
        const int columns = sqlite3_column_count(row);
        for (int i = 0; i < columns; ++i) {
            if (i != 0) text_ += '|';
            const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(row, i));
            if (bytes != nullptr) text_.append(bytes, static_cast<std::size_t>(sqlite3_column_bytes(row, i)));
        }
        text_ += '\n';
        if (text_.size() >= kPrintAt) flush();
    }
    void flush() {
        if (!text_.empty()) print(text_);
        text_.clear();
    }

private:
    std::string text_;
};

class ScriptFile {
public:
    explicit ScriptFile(const std::string& path) : path_{path}, fd_{path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
        if (fd_ < 0) fail();
    }
    ~ScriptFile() {
        if (fd_ != STDIN_FILENO) ::close(fd_);
    }
    ScriptFile(const ScriptFile&) = delete;
    ScriptFile& operator=(const ScriptFile&) = delete;

    /// Until there is something to read, or the stop.
    void wait(const StopSignal& stop) const {
        pollfd waits[] = {{fd_, POLLIN, 0}, {stop.fd(), POLLIN, 0}};
        ::poll(waits, 2, -1);
    }
    /// Empty at the end.
    std::string_view read(std::size_t most) {
        if (buffer_.size() < most) buffer_.resize(most);
        for (;;) {
            const ssize_t count = ::read(fd_, buffer_.data(), most);
            if (count >= 0) return {buffer_.data(), static_cast<std::size_t>(count)};
            if (errno != EINTR) fail();
        }
    }

private:
    [[noreturn]] void fail() const { throw UsageError{fmt::format("-f {}: {}", printable(path_), std::strerror(errno))}; }
    std::string path_;
    int fd_;
    std::string buffer_;
};

void check(const StopSignal& stop, const ScriptRunner& runner) {
    if (stop.requested()) throw InterruptedError{fmt::format("stopped by a signal; committed before, and not to be run again: {} transaction(s)", runner.transactions())};
}

void run_statement(const ScriptStatement& statement, ScriptRunner& runner, RowPrinter& rows, const StopSignal& stop) {
    check(stop, runner);
    runner.run(statement.sql, statement.line);
    try {
        rows.flush();
    } catch (const Error& error) {
        runner.fail(statement.line, error);
    }
}

void run_statements(ScriptSplitter& splitter, ScriptRunner& runner, RowPrinter& rows, const StopSignal& stop) {
    while (const auto statement = splitter.next()) run_statement(*statement, runner, rows, stop);
}

}  // namespace

std::string exec_command(const Options& options, const StopSignal& stop) {
    const ExecSettings& exec = options.exec;
    RowPrinter rows;
    ScriptRunner runner{options.leader.target, exec.file.value_or("SQL"), exec.parameters, [&](sqlite3_stmt* row) { rows.add(row); }};
    ScriptSplitter splitter;
    if (exec.sql) {
        splitter.push(*exec.sql);
        run_statements(splitter, runner, rows, stop);
    } else {
        ScriptFile file{*exec.file};
        std::size_t most = kFirstPiece;
        for (;;) {
            file.wait(stop);
            check(stop, runner);
            const std::string_view piece = file.read(most);
            if (piece.empty()) break;
            splitter.push(piece);
            const std::size_t before = runner.statements();
            run_statements(splitter, runner, rows, stop);
            // A statement that is larger than what was read is looked at again as often as a piece comes.
            most = runner.statements() == before ? std::min(most * 2, kLargestPiece) : kFirstPiece;
        }
    }
    if (const ScriptStatement last = splitter.rest(); !last.sql.empty()) run_statement(last, runner, rows, stop);
    runner.finish();
    return fmt::format("done: {} statement(s); {} transaction(s) in the statement log", runner.statements(), runner.transactions());
}

}  // namespace rowferry
