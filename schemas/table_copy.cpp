#include "schemas/table_copy.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schemas/identifier.h"

namespace rowferry {
namespace {

using Json = nlohmann::json;

constexpr std::array kStates{CopyState::requested, CopyState::copying, CopyState::loaded, CopyState::done, CopyState::failed};

CopyState parse_copy_state(const std::string& text) {
    for (const CopyState state : kStates)
        if (to_string(state) == text) return state;
    throw HaltError{fmt::format("\"{}\" is not the state of a table copy", printable(text, 40))};
}

}  // namespace

std::string_view to_string(CopyState state) {
    switch (state) {
        case CopyState::requested: return "requested";
        case CopyState::copying: return "copying";
        case CopyState::loaded: return "loaded";
        case CopyState::done: return "done";
        case CopyState::failed: return "failed";
    }
    throw std::logic_error{"copy state"};
}

bool TableCopy::holds(const TableName& table) const {
    return std::any_of(tables.begin(), tables.end(), [&](const CopiedTable& copied) { return copied.shape.name == table; });
}

std::string to_json(const TableCopy& copy) {
    Json json{{"id", copy.id},           {"patterns", copy.patterns}, {"state", to_string(copy.state)},
              {"held", copy.held},       {"message", copy.message},   {"position", {copy.position.major, copy.position.minor}},
              {"refused", copy.refused}, {"finished", copy.finished_s}, {"tables", Json::array()}};
    for (const CopiedTable& table : copy.tables) {
        Json numbers = Json::array();
        for (const auto& number : table.numbers) numbers.push_back({number.column, number.next});
        json["tables"].push_back({{"staging", table.staging}, {"shape", to_json(table.shape)}, {"leader", to_json(table.leader)}, {"numbers", std::move(numbers)}});
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

TableCopy table_copy_from_json(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        TableCopy copy;
        copy.id = json.at("id").get<std::string>();
        copy.patterns = json.at("patterns").get<std::vector<std::string>>();
        copy.state = parse_copy_state(json.at("state").get<std::string>());
        copy.held = json.at("held").get<bool>();
        copy.message = json.at("message").get<std::string>();
        copy.position = {json.at("position").at(0).get<std::uint64_t>(), json.at("position").at(1).get<std::uint64_t>()};
        copy.refused = json.at("refused").get<bool>();
        copy.finished_s = json.at("finished").get<std::int64_t>();
        for (const Json& table : json.at("tables")) {
            const std::string shape = table.at("shape").get<std::string>();
            CopiedTable copied{table.at("staging").get<std::string>(), table_from_json(shape), table_from_json(table.value("leader", shape)), {}};
            for (const Json& number : table.at("numbers")) copied.numbers.push_back({number.at(0).get<std::uint16_t>(), number.at(1).get<std::int64_t>()});
            copy.tables.push_back(std::move(copied));
        }
        return copy;
    } catch (const Json::exception& error) {
        throw HaltError{fmt::format("the follower's record of a table copy cannot be read: {}", error.what())};
    }
}

std::string table_names(const TableCopy& copy) {
    std::string names;
    for (const CopiedTable& table : copy.tables) names += (names.empty() ? "" : ", ") + to_string(table.shape.name);
    return names;
}

}  // namespace rowferry
