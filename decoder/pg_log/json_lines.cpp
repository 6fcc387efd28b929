#include "decoder/pg_log/json_lines.h"

#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "decoder/pg_log/csv_lines.h"

namespace rowferry {
namespace {

enum Key : std::size_t { timestamp, user, dbname, session_id, ps, vxid, error_severity, message, detail, statement, application_name, texts };
constexpr std::array<std::string_view, texts> kKeys{"timestamp", "user", "dbname", "session_id", "ps", "vxid", "error_severity", "message", "detail", "statement", "application_name"};

/// Keeps the texts and numbers of a flat object. What is nested is none of PostgreSQL's.
class FlatObject : public nlohmann::json_sax<nlohmann::json> {
public:
    explicit FlatObject(std::string& into) : into_{into} { into_.clear(); }

    [[nodiscard]] std::string_view text(Key key) const { return std::string_view{into_}.substr(places_[key].first, places_[key].second); }
    [[nodiscard]] bool has(Key key) const { return has_[key]; }
    std::uint64_t pid = 0, line_num = 0, txid = 0;

    bool key(string_t& name) override {
        text_ = nullptr;
        number_ = name == "pid" ? &pid : name == "line_num" ? &line_num : name == "txid" ? &txid : nullptr;
        for (std::size_t i = 0; i < texts; ++i) {
            if (kKeys[i] != name) continue;
            text_ = &places_[i];
            has_[i] = true;
        }
        return true;
    }
    bool string(string_t& value) override {
        if (text_ != nullptr) *text_ = {into_.size(), value.size()};
        if (text_ != nullptr) into_ += value;
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (number_ != nullptr) *number_ = value;
        return true;
    }
    bool number_integer(number_integer_t /*value*/) override { return true; }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
    bool null() override { return true; }
    bool boolean(bool /*value*/) override { return true; }
    bool binary(binary_t& /*value*/) override { return false; }
    bool start_object(std::size_t /*elements*/) override { return depth_++ == 0; }
    bool end_object() override { return true; }
    bool start_array(std::size_t /*elements*/) override { return false; }
    bool end_array() override { return false; }
    bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const nlohmann::detail::exception& /*error*/) override { return false; }

private:
    std::string& into_;
    std::array<std::pair<std::size_t, std::size_t>, texts> places_{};
    std::array<bool, texts> has_{};
    std::pair<std::size_t, std::size_t>* text_ = nullptr;
    std::uint64_t* number_ = nullptr;
    int depth_ = 0;
};

}  // namespace

Decoded JsonLines::decode(char* bytes, std::size_t size, bool /*last*/, const BytePlace& place, LogEntry& entry) {
    const void* newline = std::memchr(bytes, '\n', size);
    if (newline == nullptr) return {};
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - bytes);
    FlatObject object{texts_};
    if (length == 0 || bytes[0] != '{' || !nlohmann::json::sax_parse(bytes, bytes + length, &object)) throw LogBytesError{false, 0, "not a jsonlog line"};
    const auto time = clock_.read(object.text(timestamp));
    const auto severity = severity_named(object.text(error_severity));
    if (!time || object.pid == 0 || object.pid > std::numeric_limits<std::uint32_t>::max()) throw LogBytesError{false, 0, "a jsonlog line without a time and a process"};
    if (!severity) throw LogBytesError{false, 0, "a severity that is none in English: lc_messages has to be C or English"};
    LogEntry read;
    read.time = time->time;
    read.severity = *severity;
    read.pid = static_cast<std::uint32_t>(object.pid);
    read.number = object.line_num;
    read.xid = static_cast<std::uint32_t>(object.txid);
    read.session = object.text(session_id);
    read.session_start = session_start_of(read.session);
    read.user = object.text(user);
    read.database = object.text(dbname);
    read.activity = object.text(ps);
    read.transaction = object.text(vxid);
    read.message = object.text(message);
    read.detail = object.text(detail);
    read.statement = object.text(statement);
    read.has_statement = object.has(statement);
    read.application = object.text(application_name);
    read.line = place.line;
    read.offset = place.offset;
    entry = read;
    return {length + 1, 1, true};
}

}  // namespace rowferry
