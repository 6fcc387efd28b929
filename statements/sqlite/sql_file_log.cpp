#include "statements/sqlite/sql_file_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/sqlite_schema.h"
#include "schemas/digest.h"
#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::size_t kFirstPiece = 64 * 1024;
constexpr std::size_t kLargestPiece = 64 * 1024 * 1024;
constexpr std::uint64_t kTagBytes = 1024;  // in front of a position, by which the file is known again

/// Of no effect on rows, or on what statements mean.
constexpr std::array<std::string_view, 20> kNoEffect{"journal_mode", "synchronous",   "cache_size",   "cache_spill",      "temp_store",    "locking_mode",       "wal_checkpoint",
                                                     "mmap_size",    "busy_timeout",  "optimize",     "wal_autocheckpoint", "page_size",   "auto_vacuum",        "incremental_vacuum",
                                                     "secure_delete", "encoding",     "journal_size_limit", "threads",    "analysis_limit", "automatic_index"};
constexpr std::array<std::string_view, 4> kSettings{"foreign_keys", "recursive_triggers", "ignore_check_constraints", "legacy_alter_table"};

template <std::size_t count>
bool is_among(const std::string& name, const std::array<std::string_view, count>& names) {
    return std::ranges::any_of(names, [&](std::string_view each) { return same_sqlite_name(name, each); });
}

}  // namespace

class SqlFileLog::File {
public:
    explicit File(const std::string& path) : path_{path}, fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
        if (fd_ >= 0) return;
        const std::string what = fmt::format("{}: {}", printable(path), std::strerror(errno));
        if (errno == ENOENT) throw HaltError{what + ": the statement log, or a part of it, is gone"};
        throw RetryableError{what};
    }
    ~File() { ::close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] std::uint64_t size() const {
        struct stat info {};
        return ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
    }
    [[nodiscard]] std::string read(std::uint64_t offset, std::size_t most) const {
        std::string bytes(most, '\0');
        std::size_t done = 0;
        while (done < most) {
            const ssize_t count = ::pread(fd_, bytes.data() + done, most - done, static_cast<off_t>(offset + done));
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) throw RetryableError{fmt::format("{}: {}", printable(path_), std::strerror(errno))};
            if (count == 0) break;
            done += static_cast<std::size_t>(count);
        }
        bytes.resize(done);
        return bytes;
    }

private:
    std::string path_;
    int fd_;
};

SqlFileLog::SqlFileLog(std::vector<std::string> patterns, std::vector<std::string> known)
    : patterns_{std::move(patterns)}, files_{std::move(known)}, piece_{kFirstPiece} {
    expand();
    if (files_.empty()) throw RefusedError{fmt::format("no file matches the statement log {}", printable(patterns_.empty() ? "" : patterns_.front()))};
    go_to({});
}

/// Adds files that were not there before, behind the others.
void SqlFileLog::expand() {
    for (const std::string& pattern : patterns_) {
        glob_t found{};
        const int code = ::glob(pattern.c_str(), 0, nullptr, &found);
        for (std::size_t i = 0; code == 0 && i < found.gl_pathc; ++i)
            if (std::ranges::find(files_, found.gl_pathv[i]) == files_.end()) files_.emplace_back(found.gl_pathv[i]);
        ::globfree(&found);
    }
}

void SqlFileLog::fail(std::uint64_t line, const std::string& what) const { throw HaltError{fmt::format("{}, line {}: {}", printable(files_[now_.file]), line, what)}; }

void SqlFileLog::go_to(const Spot& spot) {
    if (!file_ || now_.file != spot.file) file_ = std::make_shared<File>(files_[spot.file]);
    done_ = now_ = spot;
    splitter_.begin_at(spot.offset, spot.line);
    read_to_ = spot.offset;
    piece_ = kFirstPiece;
    within_ = by_savepoint_ = false;
    savepoints_.clear();
    alone_.reset();
    outcome_ = Outcome::incomplete;
}

void SqlFileLog::seek(Position position, const std::string& tag) {
    if (position.major == 0 || position.major > files_.size())
        throw HaltError{fmt::format("the statement log has {} file(s), and the stream is in number {}: name the same files as before", files_.size(), position.major)};
    Spot spot{static_cast<std::size_t>(position.major - 1), position.minor, 1};
    go_to({spot.file, 0, 1});
    if (file_->size() < position.minor)
        throw HaltError{fmt::format("{}: it has {} bytes, and the stream is at {}: it was cut or replaced", printable(files_[spot.file]), file_->size(), position.minor)};
    if (!tag.empty() && tag_before(spot) != tag)
        throw HaltError{fmt::format("{}: in front of {} stands something else than what was read there: it was edited or replaced", printable(files_[spot.file]), position.minor)};
    for (std::uint64_t at = 0; at < position.minor;) {
        const std::string bytes = file_->read(at, static_cast<std::size_t>(std::min<std::uint64_t>(position.minor - at, 1 << 20)));
        if (bytes.empty()) break;
        spot.line += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        at += bytes.size();
    }
    go_to(spot);
}

std::string SqlFileLog::tag_before(const Spot& spot) const {
    const std::uint64_t bytes = std::min(spot.offset, kTagBytes);
    return bytes == 0 ? std::string{} : sha256_hex(file_->read(spot.offset - bytes, static_cast<std::size_t>(bytes))).substr(0, 32);
}

/// The next statement of this file that is complete.
std::optional<ScriptStatement> SqlFileLog::read_statement() {
    for (;;) {
        if (auto statement = splitter_.next()) {
            piece_ = kFirstPiece;
            return statement;
        }
        const std::string bytes = file_->read(read_to_, piece_);
        if (bytes.empty()) return std::nullopt;
        read_to_ += bytes.size();
        piece_ = std::min(piece_ * 2, kLargestPiece);
        splitter_.push(bytes);
    }
}

/// This file is at its end: goes on with the one behind it, if there is one.
bool SqlFileLog::next_file() {
    expand();
    if (now_.file + 1 == files_.size()) return false;
    const ScriptStatement rest = splitter_.rest();
    if (within_ || !rest.sql.empty())
        fail(within_ ? line_ : rest.line, fmt::format("the file ends inside a {}, and {} follows it: a part of the log is missing", within_ ? "transaction" : "statement", printable(files_[now_.file + 1])));
    go_to({now_.file + 1, 0, 1});
    return true;
}

RecordedStatement SqlFileLog::take(const ScriptStatement& statement) {
    now_.offset = statement.end;
    line_ = statement.line;
    now_.line = splitter_.line();
    RecordedStatement recorded;
    recorded.sql = std::string{statement.sql};
    recorded.line = statement.line;
    return recorded;
}

bool SqlFileLog::passes_over(const ScriptStatement& statement, const ScriptVerb& verb, TransactionStart& start) {
    if (verb.kind == ScriptVerb::Kind::vacuum) return ++passed_over_ != 0;
    if (verb.kind != ScriptVerb::Kind::pragma) return false;
    if (is_among(verb.name, kNoEffect) || !verb.assigns) return ++passed_over_ != 0;
    if (!is_among(verb.name, kSettings)) return false;
    // Without effect inside of a transaction, as SQLite has it for the first of them; the others are not changed there by anybody in their senses.
    if (within_) fail(statement.line, fmt::format("PRAGMA {} within a transaction", printable(verb.name, 60)));
    start.pragmas.emplace_back(statement.sql);
    return true;
}

std::optional<TransactionStart> SqlFileLog::begin() {
    if (ended_at_ && *ended_at_ == file_->size()) {
        expand();
        if (now_.file + 1 == files_.size()) return std::nullopt;
    }
    ended_at_.reset();
    TransactionStart start;
    for (;;) {
        const auto statement = read_statement();
        if (!statement) {
            if (next_file()) continue;
            ended_at_ = file_->size();
            const Spot done = done_;
            go_to(done);
            return std::nullopt;
        }
        const ScriptVerb verb = script_verb(statement->sql);
        if (passes_over(*statement, verb, start)) {
            static_cast<void>(take(*statement));
            if (start.pragmas.empty()) done_ = now_;
            continue;
        }
        RecordedStatement recorded = take(*statement);
        outcome_ = Outcome::incomplete;
        switch (verb.kind) {
            case ScriptVerb::Kind::begin: within_ = true; break;
            case ScriptVerb::Kind::savepoint:
                within_ = by_savepoint_ = true;
                savepoints_.open(verb.name);
                alone_ = std::move(recorded);
                break;
            case ScriptVerb::Kind::commit:
            case ScriptVerb::Kind::rollback:
            case ScriptVerb::Kind::release:
            case ScriptVerb::Kind::rollback_to: fail(line_, "it ends a transaction, and none has begun: the beginning of the log is missing");
            default: alone_ = std::move(recorded);
        }
        return start;
    }
}

std::optional<RecordedStatement> SqlFileLog::next() {
    if (alone_) {
        RecordedStatement statement = std::move(*alone_);
        alone_.reset();
        if (!within_) outcome_ = Outcome::committed;
        return statement;
    }
    while (within_) {
        const auto statement = read_statement();
        if (!statement) {
            expand();
            if (now_.file + 1 < files_.size()) static_cast<void>(next_file());  // says what is wrong
            return std::nullopt;
        }
        const ScriptVerb verb = script_verb(statement->sql);
        TransactionStart none;
        if (passes_over(*statement, verb, none)) {
            static_cast<void>(take(*statement));
            continue;
        }
        RecordedStatement recorded = take(*statement);
        switch (verb.kind) {
            case ScriptVerb::Kind::begin: fail(line_, "a transaction begins within another one");
            case ScriptVerb::Kind::commit: within_ = false; outcome_ = Outcome::committed; return std::nullopt;
            case ScriptVerb::Kind::rollback: within_ = false; outcome_ = Outcome::rolled_back; return std::nullopt;
            case ScriptVerb::Kind::savepoint: savepoints_.open(verb.name); break;
            case ScriptVerb::Kind::release:
                savepoints_.release(verb.name);
                if (by_savepoint_ && savepoints_.empty()) {
                    within_ = false;
                    outcome_ = Outcome::committed;
                }
                break;
            case ScriptVerb::Kind::rollback_to: savepoints_.roll_back_to(verb.name); break;
            default: break;
        }
        return recorded;
    }
    return std::nullopt;
}

TransactionEnd SqlFileLog::end() const { return {{now_.file + 1, now_.offset}, tag_before(now_), 0, {}}; }

void SqlFileLog::accept() {
    done_ = now_;
    within_ = by_savepoint_ = false;
    savepoints_.clear();
    outcome_ = Outcome::incomplete;
}

void SqlFileLog::abandon() {
    if (outcome_ == Outcome::incomplete) ended_at_ = file_->size();
    const Spot done = done_;
    go_to(done);
}

std::string SqlFileLog::place() const { return fmt::format("{}, line {}", printable(files_[now_.file]), line_); }

/// Where there is anything but comments behind the last transaction.
std::optional<std::uint64_t> SqlFileLog::unfinished() {
    const Spot done = done_;
    go_to(done);
    std::optional<std::uint64_t> line;
    if (const auto statement = read_statement())
        line = statement->line;
    else if (const ScriptStatement rest = splitter_.rest(); !rest.sql.empty())
        line = rest.line;
    go_to(done);
    return line;
}

Position SqlFileLog::end_of_log() {
    SqlFileLog scout{patterns_, files_};
    scout.go_to(done_);
    Position end{done_.file + 1, done_.offset};
    try {
        while (scout.begin()) {
            while (scout.next()) {
            }
            if (scout.outcome() == Outcome::incomplete) break;
            if (scout.outcome() == Outcome::committed) end = scout.end().position;
            scout.accept();
        }
    } catch (const HaltError&) {
        return {scout.now_.file + 1, scout.now_.offset};  // whoever wants to get there stops at it, behind what is good
    }
    if (const auto line = scout.unfinished())
        spdlog::warn("{}, line {}: the log ends inside a statement or a transaction there; that is not taken before it is complete (a semicolon, a COMMIT)", printable(scout.files_[scout.done_.file]),
                     *line);
    return end;
}

}  // namespace rowferry
