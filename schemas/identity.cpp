#include "schemas/identity.h"

#include <charconv>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {

std::string_view to_string(Engine engine) {
    switch (engine) {
        case Engine::postgresql: return "postgresql";
        case Engine::sqlite: return "sqlite";
    }
    throw std::logic_error{"engine"};
}

std::string_view to_string(CaptureMethod method) {
    switch (method) {
        case CaptureMethod::logical: return "logical";
        case CaptureMethod::triggers: return "triggers";
        case CaptureMethod::statements: return "statements";
    }
    throw std::logic_error{"capture method"};
}

CaptureMethod parse_capture_method(std::string_view text) {
    for (const auto method : {CaptureMethod::logical, CaptureMethod::triggers, CaptureMethod::statements})
        if (text == to_string(method)) return method;
    throw HaltError{fmt::format("the checkpoint names a capture method \"{}\" that this version does not know", text)};
}

std::string to_string(const LeaderIdentity& identity) {
    if (identity.engine == Engine::sqlite) return "sqlite:" + identity.system;
    return fmt::format("postgresql:{}:{}:{}", identity.system, identity.timeline, identity.database);
}

LeaderIdentity parse_identity(std::string_view text) {
    if (text.starts_with("sqlite:")) return {Engine::sqlite, std::string{text.substr(7)}, 0, {}};
    if (text.starts_with("postgresql:")) {
        const std::string_view rest = text.substr(11);
        const auto first = rest.find(':');
        const auto second = first == std::string_view::npos ? first : rest.find(':', first + 1);
        if (second != std::string_view::npos) {
            const std::string_view number = rest.substr(first + 1, second - first - 1);
            std::uint32_t timeline = 0;
            const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), timeline);
            if (failure == std::errc{} && end == number.data() + number.size())
                return {Engine::postgresql, std::string{rest.substr(0, first)}, timeline, std::string{rest.substr(second + 1)}};
        }
    }
    throw HaltError{fmt::format("the checkpoint names a leader \"{}\" that this version cannot read", text)};
}

}  // namespace rowferry
