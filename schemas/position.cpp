#include "schemas/position.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "schemas/error.h"

namespace rowferry {
namespace {

template <typename Number>
std::optional<Number> whole_number(std::string_view text, int base) {
    Number value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string lsn_to_string(std::uint64_t lsn) {
    return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xFFFFFFFFU);
}

std::uint64_t parse_lsn(std::string_view text) {
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) {
        const auto high = whole_number<std::uint32_t>(text.substr(0, slash), 16);
        const auto low = whole_number<std::uint32_t>(text.substr(slash + 1), 16);
        if (high && low) return (std::uint64_t{*high} << 32) | *low;
    }
    throw UsageError{fmt::format("\"{}\" is not an LSN: expected two hexadecimal numbers such as 16/B374D848", text)};
}

std::string to_string(PositionKind kind, Position position) {
    switch (kind) {
        case PositionKind::lsn: return "lsn:" + lsn_to_string(position.major);
        case PositionKind::sequence: return fmt::format("seq:{}", position.major);
        case PositionKind::frame: return fmt::format("wal:{}:{}", position.major, position.minor);
        case PositionKind::log: return fmt::format("log:{}:{}", position.major, position.minor);
    }
    throw std::logic_error{"position kind"};
}

ParsedPosition parse_position(std::string_view text) {
    if (text.starts_with("lsn:")) return {PositionKind::lsn, {parse_lsn(text.substr(4)), 0}};
    if (text.starts_with("seq:")) {
        if (const auto number = whole_number<std::uint64_t>(text.substr(4), 10)) return {PositionKind::sequence, {*number, 0}};
    }
    if (text.starts_with("wal:")) {
        const auto colon = text.find(':', 4);
        const auto major = whole_number<std::uint64_t>(text.substr(4, colon - 4), 10);
        const auto minor = colon == std::string_view::npos ? std::nullopt : whole_number<std::uint32_t>(text.substr(colon + 1), 10);
        if (major && minor) return {PositionKind::frame, {*major, *minor}};
    }
    if (text.starts_with("log:")) {
        const auto colon = text.find(':', 4);
        const auto major = whole_number<std::uint64_t>(text.substr(4, colon - 4), 10);
        const auto minor = colon == std::string_view::npos ? std::nullopt : whole_number<std::uint64_t>(text.substr(colon + 1), 10);
        if (major && minor) return {PositionKind::log, {*major, *minor}};
    }
    throw UsageError{fmt::format("\"{}\" is not a position: expected lsn:16/B374D848, seq:42, wal:3:1507 or log:2:81920, as printed by `rowferry positions`", text)};
}

}  // namespace rowferry
