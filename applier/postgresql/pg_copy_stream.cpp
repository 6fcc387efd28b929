#include "applier/postgresql/pg_copy_stream.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "schemas/pg_binary.h"

namespace rowferry {
namespace {

// What goes to libpq at once: its own output buffer then needs no growing, and the server gets going early.
constexpr std::size_t kSentAtOnce = 64 * 1024;

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

void append_bytea(std::string& out, std::string_view bytes) {
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
        case CellKind::blob: append_bytea(out, cell.bytes()); return;
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

constexpr std::uint32_t kNullLength = 0xFFFFFFFF;

void append_u32(std::string& out, std::uint32_t value) {
    const std::array<char, 4> bytes{static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8), static_cast<char>(value)};
    out.append(bytes.data(), bytes.size());
}

std::uint32_t read_u32(const char* bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void append_key(std::string& key, const std::string& column, const std::string& value) {
    key += fmt::format("{}{}={}", key.empty() ? "" : ", ", printable(column, 80), value);
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

RowForm PgCopyStream::form_of(std::span<const Event> rows) {
    for (const Event& event : rows)
        if (const auto* row = std::get_if<Change>(&event))
            for (const Cell& cell : row->after)
                if (cell.is_sent() && !cell.is_null()) return cell.kind() == CellKind::binary ? RowForm::copy_binary : RowForm::cells;
    return RowForm::cells;
}

void PgCopyStream::begin(const PgTablePlan& plan, std::string_view before, RowForm form) {
    plan_ = &plan;
    buffer_.clear();
    sent_ = 0;
    rows_ = 0;
    raw_ = false;
    nulled_.clear();
    binary_ = form == RowForm::copy_binary;
    link_.query(fmt::format("{}{}{}", before, plan.copy(), binary_ ? " (FORMAT binary)" : ""));
    awaiting_ = true;
    if (binary_) link_.put_copy(pg_binary::kCopyHeader);
}

void PgCopyStream::add_raw(RawRows& rows) {
    buffer_.swap(rows.bytes);
    rows_ = rows.rows;
    raw_ = true;
    rows.bytes.clear();
    rows.rows = 0;
    for (; sent_ < buffer_.size(); sent_ += std::min(kSentAtOnce, buffer_.size() - sent_)) {
        link_.put_copy(std::string_view{buffer_}.substr(sent_, kSentAtOnce));
        link_.flush();
    }
}

void PgCopyStream::add(const Change& row) {
    if (binary_)
        add_binary(row);
    else
        add_text(row);
    ++rows_;
    if (buffer_.size() - sent_ < kSentAtOnce) return;
    link_.put_copy(std::string_view{buffer_}.substr(sent_));
    sent_ = buffer_.size();
    link_.flush();
}

void PgCopyStream::add_text(const Change& row) {
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
    if (scratch_.used() > kSentAtOnce) scratch_.clear();
}

/// tuple := count:i16 (length:i32 byte[length])*, -1 for NULL.
void PgCopyStream::add_binary(const Change& row) {
    const std::size_t columns = plan_->leader().columns.size();
    const std::size_t start = buffer_.size();
    std::uint16_t written = 0;
    buffer_.append(sizeof written, '\0');
    for (std::size_t i = 0; i < columns; ++i) {
        const PgTablePlan::Column& column = plan_->column(i);
        if (!column.written) continue;
        ++written;
        const Cell& cell = row.after[i];
        if (cell.is_null()) {
            append_u32(buffer_, kNullLength);
            continue;
        }
        if (cell.kind() != CellKind::binary || !column.takes_binary)
            throw TextNeededError{fmt::format("{}, column {} does not take the leader's binary form", to_string(plan_->leader().name), printable(column.follower->name, 80))};
        append_u32(buffer_, static_cast<std::uint32_t>(cell.bytes().size()));
        buffer_ += cell.bytes();
    }
    buffer_[start] = static_cast<char>(written >> 8);
    buffer_[start + 1] = static_cast<char>(written);
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
    if (binary_) link_.put_copy(pg_binary::kCopyTrailer);
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
        if (failure) continue;
        if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
            failure = swallowed(PQcmdTuples(result.get()));
            continue;
        }
        failure.emplace();
        failure->diagnosis = diagnose(result.get(), link_.get(), plan_->follower().name.name);
        failure->row = failure->diagnosis.line && *failure->diagnosis.line > 0 ? *failure->diagnosis.line - 1 : rows_;
        failure->key = key_of(failure->row);
        if (PQstatus(link_.get()) != CONNECTION_OK) break;
    }
    awaiting_ = false;
    return failure;
}

/// A trigger of a partition, or one made since the table was looked at, may have left rows out.
std::optional<PgCopyStream::Failure> PgCopyStream::swallowed(std::string_view count) const {
    std::uint64_t taken = 0;
    std::from_chars(count.data(), count.data() + count.size(), taken);
    if (raw_ || taken == rows_) return std::nullopt;
    Failure failure;
    failure.diagnosis.sqlstate = "P0001";
    failure.diagnosis.message = fmt::format("{} of {} rows were left out: a trigger on the follower does that", rows_ - taken, rows_);
    failure.row = rows_;
    failure.key = "a row";
    return failure;
}

std::string PgCopyStream::key_of(std::uint64_t row) const {
    if (plan_->leader().identity.empty()) return "a row (the table has no key)";
    if (row >= rows_) return "a row";
    return "key " + (binary_ ? binary_key(row) : text_key(row));
}

std::string PgCopyStream::text_key(std::uint64_t row) const {
    std::string_view rest = buffer_;
    for (std::uint64_t i = 0; i < row && !rest.empty(); ++i) rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    rest = rest.substr(0, rest.find('\n'));
    std::string key;
    for (std::size_t i = 0; i < plan_->leader().columns.size(); ++i) {
        if (!plan_->column(i).written) continue;
        const std::string_view field = rest.substr(0, rest.find('\t'));
        if (plan_->column(i).in_key) append_key(key, plan_->column(i).follower->name, printable(field, 80));
        rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    }
    return key;
}

std::string PgCopyStream::binary_key(std::uint64_t row) const {
    std::string key;
    std::size_t at = 0;
    for (std::uint64_t i = 0; i <= row; ++i) {
        at += sizeof(std::uint16_t);
        for (std::size_t column = 0; column < plan_->leader().columns.size(); ++column) {
            if (!plan_->column(column).written) continue;
            if (at + sizeof(std::uint32_t) > buffer_.size()) return key;  // rows that went through as they came
            const std::uint32_t length = read_u32(buffer_.data() + at);
            at += sizeof length;
            const std::size_t size = length == kNullLength ? 0 : length;
            if (i == row && plan_->column(column).in_key)
                append_key(key, plan_->column(column).follower->name,
                           pg_binary::describe(plan_->leader().columns[column].type_oid, std::string_view{buffer_}.substr(at, size)));
            at += size;
        }
    }
    return key;
}

}  // namespace rowferry
