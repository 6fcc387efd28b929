#include "schemas/standby_names.h"

#include "schemas/ascii.h"

namespace rowferry {

bool standby_names_list(const std::string& setting, const std::string& application) {
    const std::string wanted = lower(application);
    std::string word;
    const auto is_ours = [&] { return word == "*" || lower(word) == wanted; };
    for (std::size_t i = 0; i < setting.size(); ++i) {
        const char c = setting[i];
        if (c == '"') {
            word.clear();
            while (++i < setting.size() && (setting[i] != '"' || (i + 1 < setting.size() && setting[i + 1] == '"' && ++i))) word += setting[i];
        } else if (c == ',' || c == '(' || c == ')' || std::isspace(static_cast<unsigned char>(c))) {
            if (is_ours()) return true;
            word.clear();
        } else {
            word += c;
        }
    }
    return is_ours();
}

}  // namespace rowferry
