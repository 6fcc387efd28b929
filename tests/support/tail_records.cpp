#include "tests/support/tail_records.h"

#include <fstream>
#include <thread>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace {

std::vector<std::string> arguments_of(const Database& leader, const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"tail", leader.endpoint(), "--format", "json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return arguments;
}

}  // namespace

std::vector<nlohmann::json> parse_records(const std::string& text) {
    std::vector<nlohmann::json> records;
    for (std::size_t start = 0, end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1)
        records.push_back(nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(start), text.begin() + static_cast<std::ptrdiff_t>(end)));
    return records;
}

std::vector<nlohmann::json> changes_of(const std::vector<nlohmann::json>& records) {
    std::vector<nlohmann::json> changes;
    for (const nlohmann::json& record : records)
        if (record.at("operation") != "table") changes.push_back(record);
    return changes;
}

std::unique_ptr<Rowferry> start_tail(const Database& leader, const std::vector<std::string>& options) {
    return std::make_unique<Rowferry>(arguments_of(leader, options));
}

RowferryResult tail_until_current(const Database& leader, const std::vector<std::string>& options) {
    std::vector<std::string> arguments = arguments_of(leader, options);
    arguments.insert(arguments.end(), {"--until", "current"});
    return rowferry(arguments);
}

testing::AssertionResult prints(const Rowferry& process, std::size_t changes, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        const std::size_t printed = changes_of(parse_records(process.out())).size();
        if (printed >= changes) return testing::AssertionSuccess();
        if (std::chrono::steady_clock::now() > deadline)
            return testing::AssertionFailure() << printed << " of " << changes << " changes printed\n" << process.out() << process.err();
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
}

testing::AssertionResult valid_records(const std::string& text) {
    const auto file = new_temp_dir("records") / "records.jsonl";
    std::ofstream{file, std::ios::binary} << text;
    const std::string source = ROWFERRY_SOURCE_DIR;
    const Outcome outcome = run_program({source + "/tests/support/validate_records", source + "/schemas/change_record.schema.json", file.string()});
    if (outcome.exit_code != 0) return testing::AssertionFailure() << outcome.err;
    const auto lines = std::count(text.begin(), text.end(), '\n');
    if (outcome.out != std::to_string(lines) + "\n") return testing::AssertionFailure() << outcome.out << "records, but " << lines << " lines";
    return testing::AssertionSuccess();
}

}  // namespace rowferry::test
