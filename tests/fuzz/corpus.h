#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace rowferry::test {

/// The inputs with which a libFuzzer target begins: the bytes of the files in tests/fuzz/corpus/NAME.
inline std::vector<std::string> fuzz_corpus(const std::string& name) {
    std::vector<std::string> inputs;
    for (const auto& entry : std::filesystem::directory_iterator{std::filesystem::path{ROWFERRY_SOURCE_DIR} / "tests/fuzz/corpus" / name}) {
        std::ifstream in{entry.path(), std::ios::binary};
        inputs.emplace_back(std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{});
    }
    return inputs;
}

}  // namespace rowferry::test
