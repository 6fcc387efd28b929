#include "statements/sqlite/sql_file_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <nlohmann/json.hpp>
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
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr auto kLookInterval = std::chrono::milliseconds{500};
constexpr std::uint64_t kTagBytes = 1024;  // in front of a position, by which the file is known again

/// Of no effect on rows, or on what statements mean.
constexpr std::array<std::string_view, 20> kNoEffect{"journal_mode", "synchronous",   "cache_size",   "cache_spill",      "temp_store",    "locking_mode",       "wal_checkpoint",
                                                     "mmap_size",    "busy_timeout",  "optimize",     "wal_autocheckpoint", "page_size",   "auto_vacuum",        "incremental_vacuum",
                                                     "secure_delete", "encoding",     "journal_size_limit", "threads",    "analysis_limit", "automatic_index"};
constexpr std::array<std::string_view, 4> kSettings{"foreign_keys", "recursive_triggers", "ignore_check_constraints", "legacy_alter_table"};

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
    /// Is it still the one of its path?
    [[nodiscard]] bool in_place() const {
        struct stat mine {}, named {};
        return ::fstat(fd_, &mine) == 0 && ::stat(path_.c_str(), &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
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

SqlFileLog::SqlFileLog(std::vector<std::string> patterns, const std::string& known) : patterns_{std::move(patterns)}, piece_{kFirstPiece} {
    if (!known.empty()) read_known(known);
    require_finished();
    expand();
    if (files_.empty()) throw RefusedError{fmt::format("no file matches the statement log {}", printable(patterns_.empty() ? "" : patterns_.front()))};
    go_to({std::min(sizes_.size(), files_.size() - 1), 0, 1});  // those in front of it may be gone
}

/// A list of names; those that are done with are [name, size].
std::string SqlFileLog::noted() const {
    nlohmann::json list = nlohmann::json::array();
    for (std::size_t i = 0; i < files_.size(); ++i) {
        if (i < sizes_.size())
            list.push_back(nlohmann::json::array({files_[i], sizes_[i]}));
        else
            list.push_back(files_[i]);
    }
    return list.dump();
}

void SqlFileLog::read_known(const std::string& known) {
    for (const nlohmann::json& file : nlohmann::json::parse(known)) {
        files_.push_back(file.is_array() ? file.at(0).get<std::string>() : file.get<std::string>());
        if (file.is_array() && sizes_.size() + 1 == files_.size()) sizes_.push_back(file.at(1).get<std::uint64_t>());
    }
}

/// What somebody appends to a file behind which the next one was begun would never be read. One that was removed meanwhile does no harm.
void SqlFileLog::require_finished() const {
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
        struct stat info {};
        if (::stat(files_[i].c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) > sizes_[i])
            throw HaltError{fmt::format("{}: it was at its end with {} bytes when {} followed it, and has {} now: what was appended late was not run, and its place in the order is not known. "
                                        "Whoever writes the log has to be done with a file before the next one appears",
                                        printable(files_[i]), sizes_[i], i + 1 < files_.size() ? printable(files_[i + 1]) : "another", static_cast<std::uint64_t>(info.st_size))};
    }
}

/// Asked behind each read: what was read before is still there, so that what was read now stands behind it.
void SqlFileLog::require_same() const {
    const char* what = nullptr;
    if (!file_->in_place())
        what = "another file has its name now, or none";
    else if (file_->size() < tail_end_)
        what = "it was cut";
    else if (file_->read(tail_end_ - tail_.size(), tail_.size()) != tail_)
        what = "it was written anew";
    if (what != nullptr)
        throw HaltError{fmt::format("{}: {} while it was read, up to byte {}: statements of it may be lost. A log is appended to; for rotation new files are begun, which a pattern names",
                                    printable(files_[now_.file]), what, tail_end_)};
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
    if (!file_ || now_.file != spot.file) {
        file_ = std::make_shared<File>(files_[spot.file]);
        tail_.clear();
        tail_end_ = 0;
    }
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
    sizes_.resize(std::min(sizes_.size(), spot.file));
    noted_ = spot.file;
    go_to(spot);
    const std::uint64_t tail = std::min(spot.offset, kTagBytes);
    tail_ = file_->read(spot.offset - tail, static_cast<std::size_t>(tail));
    tail_end_ = spot.offset;
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
        std::string bytes = file_->read(read_to_, piece_);
        require_same();
        if (bytes.empty()) return std::nullopt;
        const bool marked = read_to_ == 0 && bytes.starts_with(kByteOrderMark);
        read_to_ += bytes.size();
        if (read_to_ > tail_end_) {
            // Bytes in front of these are wanted too, where these are few.
            tail_ = read_to_ - tail_end_ == bytes.size() ? tail_ + bytes : bytes;
            tail_.erase(0, tail_.size() - std::min<std::size_t>(tail_.size(), kTagBytes));
            tail_end_ = read_to_;
        }
        if (marked) {
            bytes.erase(0, kByteOrderMark.size());
            splitter_.begin_at(kByteOrderMark.size(), 1);
        }
        piece_ = std::min(piece_ * 2, kLargestPiece);
        splitter_.push(bytes);
    }
}

/// This file is at its end: goes on with the one behind it, if there is one. True: there is more to read.
bool SqlFileLog::next_file() {
    expand();
    if (now_.file + 1 == files_.size()) return false;
    if (file_->size() > read_to_) return true;  // it grew before the other one was seen
    const ScriptStatement rest = splitter_.rest();
    if (within_ || !rest.sql.empty())
        fail(within_ ? line_ : rest.line, fmt::format("the file ends inside a {}, and {} follows it: a part of the log is missing", within_ ? "transaction" : "statement", printable(files_[now_.file + 1])));
    require_finished();
    sizes_.resize(now_.file, std::numeric_limits<std::uint64_t>::max());  // nobody said how large those were
    sizes_.push_back(read_to_);
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
    if (const auto now = std::chrono::steady_clock::now(); now >= next_look_) {
        next_look_ = now + kLookInterval;
        require_finished();
    }
    if (ended_at_ && *ended_at_ == file_->size()) {
        require_same();
        expand();
        if (now_.file + 1 == files_.size()) return std::nullopt;
    }
    ended_at_.reset();
    TransactionStart start;
    for (;;) {
        const auto statement = read_statement();
        if (!statement) {
            if (next_file()) continue;
            ended_at_ = read_to_;
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
            if (next_file()) continue;  // or it says what is wrong
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

TransactionEnd SqlFileLog::end() const {
    TransactionEnd end{{now_.file + 1, now_.offset}, tag_before(now_), 0, {}};
    require_same();  // the tag is of what was read
    if (now_.file != noted_) end.files = noted();
    return end;
}

void SqlFileLog::accept() {
    done_ = now_;
    if (outcome_ == Outcome::committed) noted_ = now_.file;
    within_ = by_savepoint_ = false;
    savepoints_.clear();
    outcome_ = Outcome::incomplete;
}

void SqlFileLog::abandon() {
    if (outcome_ == Outcome::incomplete) ended_at_ = read_to_;
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
    SqlFileLog scout{patterns_, noted()};
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
