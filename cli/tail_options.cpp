#include "cli/tail_options.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"
#include "tail/tail_printer.h"

namespace rowferry {
namespace {

const std::string* flag_text(const SettingLayer& settings, std::string_view name) {
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : &found->second.values.front();
}

TailFormat parse_format(const std::string& text) {
    if (text == "text") return TailFormat::text;
    if (text == "json") return TailFormat::json;
    if (text == "sql") return TailFormat::sql;
    throw UsageError{fmt::format("--format: \"{}\" is none of text, json, sql", printable(text))};
}

/// `insert` or `insert,update`.
unsigned parse_kinds(const std::string& text) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 5> kKinds{{{"insert", record_kind::insert},
                                                                          {"update", record_kind::update},
                                                                          {"delete", record_kind::remove},
                                                                          {"truncate", record_kind::truncate},
                                                                          {"shape", record_kind::shape}}};
    unsigned kinds = 0;
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t comma = std::min(text.find(',', start), text.size());
        const std::string_view name = std::string_view{text}.substr(start, comma - start);
        const auto known = std::ranges::find(kKinds, name, [](const auto& kind) { return kind.first; });
        if (known == kKinds.end()) throw UsageError{fmt::format("--op: \"{}\" is none of insert, update, delete, truncate, shape", printable(name))};
        kinds |= known->second;
        start = comma + 1;
    }
    return kinds;
}

From parse_from(const std::string& text) {
    if (text == "now") return {From::Kind::now, {}, {}};
    if (text == "start") return {};
    try {
        const ParsedPosition parsed = parse_position(text);
        return {From::Kind::position, parsed.kind, parsed.position};
    } catch (const UsageError& error) {
        throw UsageError{fmt::format("--from: {}, now or start", error.what())};
    }
}

std::string default_state(const std::string& stream) {
    const auto directory = [](const char* variable) -> std::string {
        const char* value = std::getenv(variable);
        // Relative ones are to be ignored (XDG Base Directory Specification).
        return value != nullptr && *value == '/' ? value : "";
    };
    const std::string file = "/rowferry/tail_" + stream + ".db";
    if (const std::string state = directory("XDG_STATE_HOME"); !state.empty()) return state + file;
    if (const std::string home = directory("HOME"); !home.empty()) return home + "/.local/state" + file;
    throw UsageError{"--stream needs a place for its position, and there is no home directory: name a file with --state FILE"};
}

std::string temporary_name() {
    std::random_device device;
    return fmt::format("tail_{:08x}{:08x}", device(), device());
}

}  // namespace

void resolve_tail(const SettingLayer& settings, Options& options) {
    TailSettings& tail = options.tail;
    if (const std::string* text = flag_text(settings, "format")) tail.format = parse_format(*text);
    tail.kinds = record_kind::all;
    if (const auto ops = settings.find("op"); ops != settings.end()) {
        tail.kinds = 0;
        for (const std::string& text : ops->second.values) tail.kinds |= parse_kinds(text);
    }
    if (const std::string* text = flag_text(settings, "from")) tail.from = parse_from(*text);
    const std::string* state = flag_text(settings, "state");
    if (state != nullptr && state->empty()) throw UsageError{"--state: the name of the file is empty"};

    options.run.request.rows_before = true;

    // In environment and file it names a stream with a follower.
    const auto stream = settings.find("stream");
    options.follower.reset();
    if (stream != settings.end() && stream->second.origin == "--stream") {
        tail.state = state != nullptr ? *state : default_state(options.run.request.stream);
        options.follower = Endpoint{Engine::sqlite, tail.state};
        return;
    }
    if (state != nullptr) throw UsageError{"--state keeps the position of a stream that has a name: give it one with --stream NAME"};
    options.run.request.stream = temporary_name();
    options.run.request.temporary = true;
}

}  // namespace rowferry
