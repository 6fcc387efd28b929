#include "applier/postgresql/pg_copy_stream.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

// What goes to libpq at once: its own output buffer then needs no growing, and the server gets going early.
constexpr std::size_t kPiece = 64 * 1024;

// https://www.postgresql.org/docs/15/sql-copy.html, Binary Format: signature, flags, length of an extension; behind the rows a word of -1.
constexpr std::string_view kBinaryHeader{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
constexpr std::string_view kBinaryTrailer{"\377\377", 2};

constexpr std::array<char, 256> make_escapes() {
    std::array<char, 256> escapes{};
    escapes['\\'] = '\\';
    escapes['\n'] = 'n';
    escapes['\r'] = 'r';
    escapes['\t'] = 't';
    return escapes;
}
constexpr std::array<char, 256> kEscapes = make_escapes();

/// Passes over bytes that are neither control characters nor backslashes, eight at a time; may stop before others too.
std::size_t skip_plain(std::string_view text, std::size_t at) noexcept {
    constexpr std::uint64_t kHighBits = 0x8080808080808080U;
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    for (std::uint64_t word = 0; text.size() - at >= sizeof(word); at += sizeof(word)) {
        std::memcpy(&word, text.data() + at, sizeof(word));
        // A byte below n sets its high bit in `word - n * kOnes`, unless its own was set; a byte above it may do so by a borrow only.
        const std::uint64_t backslashes = word ^ (static_cast<std::uint64_t>('\\') * kOnes);
        if (((((word - 0x20 * kOnes) & ~word) | ((backslashes - kOnes) & ~backslashes)) & kHighBits) != 0) break;
    }
    return at;
}

void append_hex(std::string& out, std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    const std::size_t start = out.size() + 3;
    out.resize(start + 2 * bytes.size());
    char* to = out.data() + start - 3;
    *to++ = '\\';
    *to++ = '\\';
    *to++ = 'x';
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        *to++ = kDigits[byte >> 4];
        *to++ = kDigits[byte & 15];
    }
}

void append_cell(std::string& out, const Cell& cell) {
    switch (cell.kind()) {
        case CellKind::null: out += "\\N"; return;
        case CellKind::text: append_copy_text(out, cell.bytes()); return;
        case CellKind::blob: append_hex(out, cell.bytes()); return;
        case CellKind::integer: {
            std::array<char, 24> digits;
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), cell.as_integer()).ptr;
            out.append(digits.data(), end);
            return;
        }
        case CellKind::absent:
        case CellKind::unchanged:
        case CellKind::binary:
        case CellKind::real: throw ValueError{"the leader sent no value that can be written"};
    }
}

}  // namespace

void append_copy_text(std::string& out, std::string_view text) {
    std::size_t plain = 0;
    for (std::size_t at = skip_plain(text, 0); at < text.size(); at = skip_plain(text, at)) {
        for (const std::size_t end = std::min(at + 8, text.size()); at < end; ++at) {
            const char escape = kEscapes[static_cast<unsigned char>(text[at])];
            if (escape == 0) continue;
            out.append(text, plain, at - plain);
            out += '\\';
            out += escape;
            plain = at + 1;
        }
    }
    out.append(text, plain, text.size() - plain);
}

void PgCopyStream::begin(const PgTablePlan& plan, std::string_view before, RowForm form) {
    plan_ = &plan;
    buffer_.clear();
    sent_ = 0;
    rows_ = 0;
    nulled_.clear();
    binary_ = form == RowForm::copy_binary;
    link_.query(fmt::format("{}{}{}", before, plan.copy(), binary_ ? " (FORMAT binary)" : ""));
    awaiting_ = true;
    if (binary_) link_.put_copy(kBinaryHeader);
}

void PgCopyStream::add_raw(RawRows& rows) {
    buffer_.swap(rows.bytes);
    rows_ = rows.rows;
    rows.bytes.clear();
    rows.rows = 0;
    for (; sent_ < buffer_.size(); sent_ += std::min(kPiece, buffer_.size() - sent_)) {
        link_.put_copy(std::string_view{buffer_}.substr(sent_, kPiece));
        link_.flush();
    }
}

void PgCopyStream::add(const Change& row) {
    const std::size_t columns = plan_->leader().columns.size();
    const std::size_t start = buffer_.size();
    try {
        for (std::size_t i = 0; i < columns; ++i) {
            if (!plan_->column(i).written) continue;
            add_cell(static_cast<std::uint16_t>(i), row.after[i]);
            buffer_ += '\t';
        }
    } catch (const ValueError&) {
        buffer_.resize(start);
        throw;
    }
    if (buffer_.size() > start) buffer_.pop_back();
    buffer_ += '\n';
    ++rows_;
    if (scratch_.used() > kPiece) scratch_.clear();
    if (buffer_.size() - sent_ >= kPiece) {
        link_.put_copy(std::string_view{buffer_}.substr(sent_));
        sent_ = buffer_.size();
        link_.flush();
    }
}

void PgCopyStream::add_cell(std::uint16_t index, const Cell& cell) {
    const PgTablePlan::Column& column = plan_->column(index);
    try {
        append_cell(buffer_, convert(column.conversion, cell, scratch_));
    } catch (const ValueError& error) {
        if (column.on_mismatch != OnMismatch::null_value)
            throw ValueError{fmt::format("column {}: {}", printable(column.follower->name, 80), error.what())};
        append_cell(buffer_, Cell::null());
        Nulled& nulled = nulled_[index];
        if (nulled.count++ == 0) nulled.why = error.what();
    }
}

void PgCopyStream::tell(PgMismatchLog& log) {
    for (const auto& [column, nulled] : nulled_) log.note(*plan_, column, kMadeNull, nulled.why, {}, nulled.count);
    nulled_.clear();
}

void PgCopyStream::end() {
    if (sent_ < buffer_.size()) link_.put_copy(std::string_view{buffer_}.substr(sent_));
    if (binary_) link_.put_copy(kBinaryTrailer);
    scratch_.clear();
    for (;;) {
        const int put = PQputCopyEnd(link_.get(), nullptr);
        if (put == 1) break;
        if (put < 0) link_.fail("COPY");
        link_.flush();
    }
    link_.flush();
}

std::optional<PgCopyStream::Failure> PgCopyStream::result() {
    std::optional<Failure> failure;
    while (const PgResult result = link_.next_result()) {
        const auto state = PQresultStatus(result.get());
        if (state == PGRES_COMMAND_OK || failure) continue;
        failure.emplace();
        failure->diagnosis = diagnose(result.get(), link_.get(), plan_->follower().name.name);
        failure->row = failure->diagnosis.line && *failure->diagnosis.line > 0 ? *failure->diagnosis.line - 1 : rows_;
        failure->key = key_of(failure->row);
        if (PQstatus(link_.get()) != CONNECTION_OK) break;
    }
    awaiting_ = false;
    return failure;
}

std::string PgCopyStream::key_of(std::uint64_t row) const {
    if (plan_->leader().identity.empty()) return "a row (the table has no key)";
    if (binary_) return "a row";
    std::string_view rest = buffer_;
    for (std::uint64_t i = 0; i < row && !rest.empty(); ++i) rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    if (row >= rows_ || rest.empty()) return "a row";
    rest = rest.substr(0, rest.find('\n'));
    std::string key = "key ";
    for (std::size_t i = 0; i < plan_->leader().columns.size(); ++i) {
        if (!plan_->column(i).written) continue;
        const std::string_view field = rest.substr(0, rest.find('\t'));
        if (plan_->column(i).in_key)
            key += fmt::format("{}{}={}", key.size() > 4 ? ", " : "", printable(plan_->column(i).follower->name, 80), printable(field, 80));
        rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    }
    return key;
}

}  // namespace rowferry
