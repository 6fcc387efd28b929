#include "decoder/pg_log/log_message.h"

#include <array>
#include <charconv>

namespace rowferry {
namespace {

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

/// Behind `name: `.
bool take_name(std::string_view& text) {
    const std::size_t colon = text.find(": ");
    if (colon == std::string_view::npos) return false;
    text.remove_prefix(colon + 2);
    return true;
}

/// `0.123 ms`, in microseconds.
std::optional<std::int64_t> take_duration(std::string_view& text) {
    std::int64_t whole = 0, fraction = 0;
    const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (error != std::errc{} || whole < 0 || whole > (1LL << 40) || dot == text.data() + text.size() || *dot != '.') return {};
    const auto [end, second] = std::from_chars(dot + 1, text.data() + text.size(), fraction);
    if (second != std::errc{} || end != dot + 4 || fraction < 0) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!take(text, " ms")) return {};
    return whole * 1000 + fraction;
}

/// `execute name: …`, `execute fetch from name: …`.
LogMessage read_execute(std::string_view text, MessageKind whole) {
    const bool fetch = take(text, "fetch from ");
    if (!take_name(text)) return {};
    return {fetch ? MessageKind::step : whole, text, 0};
}

LogMessage read_duration(std::string_view text) {
    const auto duration = take_duration(text);
    if (!duration) return {};
    if (text.empty()) return {MessageKind::duration, {}, *duration};
    LogMessage out;
    if (take(text, "  statement: "))
        out = {MessageKind::after_statement, text, 0};
    else if (take(text, "  execute "))
        out = read_execute(text, MessageKind::after_execute);
    else if (take(text, "  parse ") || take(text, "  bind "))
        out = {MessageKind::step, text, 0};
    else if (text.starts_with("  fastpath function call: "))
        out = {MessageKind::function_call, {}, 0};
    out.duration = *duration;
    return out;
}

/// How other languages begin what is `statement: `, `duration: ` and `execute …: ` in English.
constexpr std::array<std::string_view, 26> kOtherLanguages{"Anweisung: ", "Dauer: ", "Ausführen ", "instruction : ", "durée : ", "exécute ", "sentencia: ", "duración: ", "ejecutar ", "istruzione: ", "durata: ", "comando: ", "duração: ",
                                                           "оператор: ", "продолжительность: ", "тривалість: ", "文: ", "期間: ", "语句: ", "执行时间: ", "wyrażenie: ", "czas trwania: ", "ifade: ", "süre: ", "sats: ", "varaktighet: "};

LogMessage read_log(std::string_view text) {
    (void)take(text, "00000: ");  // log_error_verbosity = verbose
    if (text.empty()) return {};
    switch (text[0]) {
        case 's':
            if (take(text, "statement: ")) return {MessageKind::statement, text, 0};
            if (text.starts_with("starting PostgreSQL")) return {MessageKind::starting, {}, 0};
            if (text.starts_with("server process (PID ") && text.find(" was terminated by signal ") != std::string_view::npos) return {MessageKind::crash, {}, 0};
            break;
        case 'e':
            if (take(text, "execute ")) return read_execute(text, MessageKind::execute);
            break;
        case 'd':
            if (take(text, "duration: ")) return read_duration(text);
            if (text.starts_with("disconnection: ")) return {MessageKind::disconnection, {}, 0};
            if (text.starts_with("database system was shut down")) return {MessageKind::was_shut_down, {}, 0};
            if (text.starts_with("database system was interrupted") || text.starts_with("database system shutdown was interrupted")) return {MessageKind::was_interrupted, {}, 0};
            if (text == "database system is shut down") return {MessageKind::is_shut_down, {}, 0};
            break;
        case 'a':
            if (text == "all server processes terminated; reinitializing") return {MessageKind::crash, {}, 0};
            break;
        case 'r':
            if (text == "received immediate shutdown request") return {MessageKind::immediate_shutdown, {}, 0};
            break;
        case 'u':
            if (text.starts_with("unexpected EOF on client connection")) return {MessageKind::disconnection, {}, 0};
            break;
        case 'c':
            if (text.starts_with("connection received: ") || text.starts_with("connection authorized: ") || text.starts_with("connection authenticated: ")) return {MessageKind::connection, {}, 0};
            break;
        case 'f':
            if (text.starts_with("fastpath function call: ")) return {MessageKind::function_call, {}, 0};
            break;
        default: break;
    }
    for (const std::string_view other : kOtherLanguages)
        if (text.starts_with(other)) return {MessageKind::other_language, {}, 0};
    return {};
}

}  // namespace

LogMessage read_message(const LogEntry& entry) {
    switch (entry.severity) {
        case Severity::log: return read_log(entry.message);
        case Severity::error: return {MessageKind::error, entry.statement, 0};
        case Severity::fatal:
        case Severity::panic: return {MessageKind::fatal, entry.statement, 0};
        case Severity::debug:
        case Severity::notice:
        case Severity::warning: return {};
    }
    return {};
}

std::optional<std::vector<std::optional<std::string>>> read_parameters(std::string_view detail) {
    if (!take(detail, "parameters: ") && !take(detail, "Parameters: ")) return {};
    std::vector<std::optional<std::string>> out;
    for (;;) {
        std::size_t number = 0;
        if (!take(detail, "$")) return {};
        const auto [end, error] = std::from_chars(detail.data(), detail.data() + detail.size(), number);
        if (error != std::errc{} || number != out.size() + 1) return {};
        detail.remove_prefix(static_cast<std::size_t>(end - detail.data()));
        if (!take(detail, " = ")) return {};
        if (take(detail, "NULL")) {
            out.emplace_back();
        } else {
            if (!take(detail, "'")) return {};
            std::string& value = out.emplace_back(std::string{}).value();
            for (;;) {
                const std::size_t quote = detail.find('\'');
                if (quote == std::string_view::npos) return {};
                value += detail.substr(0, quote);
                detail.remove_prefix(quote + 1);
                if (!take(detail, "'")) break;
                value += '\'';
            }
        }
        if (detail.empty()) return out;
        if (!take(detail, ", ")) return {};
    }
}

std::string_view read_prepared(std::string_view detail) {
    return take(detail, "prepare: ") || take(detail, "Prepare: ") ? detail : std::string_view{};
}

}  // namespace rowferry
