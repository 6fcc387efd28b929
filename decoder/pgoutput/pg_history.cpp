#include "decoder/pgoutput/pg_history.h"

#include <charconv>

#include "schemas/position.h"

namespace rowferry {

std::optional<std::uint64_t> timeline_end(std::string_view history, std::uint32_t timeline) {
    while (!history.empty()) {
        const std::string_view line = history.substr(0, history.find('\n'));
        history.remove_prefix(std::min(history.size(), line.size() + 1));
        const auto tab = line.find('\t');
        if (tab == std::string_view::npos || line.starts_with('#')) continue;
        std::uint32_t number = 0;
        const auto [end, failure] = std::from_chars(line.data(), line.data() + tab, number);
        if (failure != std::errc{} || end != line.data() + tab || number != timeline) continue;
        const std::string_view rest = line.substr(tab + 1);
        return parse_lsn(rest.substr(0, rest.find('\t')));
    }
    return std::nullopt;
}

}  // namespace rowferry
