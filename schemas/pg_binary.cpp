#include "schemas/pg_binary.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "schemas/identifier.h"

namespace rowferry::pg_binary {
namespace {

constexpr std::uint32_t kBool = 16, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kOid = 26, kJson = 114, kBpchar = 1042, kVarchar = 1043, kUuid = 2950;

struct Type {
    std::uint32_t oid;
    std::uint32_t array;
};

constexpr std::array<Type, 28> kPortable{{
    {kBool, 1000},   {17, 1001} /* bytea */,     {kName, 1003},      {kInt8, 1016},     {kInt2, 1005},          {kInt4, 1007},
    {kText, 1009},   {kOid, 1028},               {kJson, 199},       {650, 651} /* cidr */, {700, 1021} /* float4 */, {701, 1022} /* float8 */,
    {774, 775} /* macaddr8 */, {829, 1040} /* macaddr */, {869, 1041} /* inet */, {kBpchar, 1014}, {kVarchar, 1015}, {1082, 1182} /* date */,
    {1083, 1183} /* time */, {1114, 1115} /* timestamp */, {1184, 1185} /* timestamptz */, {1266, 1270} /* timetz */, {1560, 1561} /* bit */,
    {1562, 1563} /* varbit */, {1700, 1231} /* numeric */, {kUuid, 2951}, {3802, 3807} /* jsonb */, {600, 1017} /* point */,
}};

constexpr std::size_t kShown = 80;

std::int64_t whole(std::string_view bytes) {
    std::int64_t value = static_cast<signed char>(bytes.front());
    for (const char c : bytes.substr(1)) value = value * 256 + static_cast<unsigned char>(c);
    return value;
}

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes.substr(0, kShown / 2)) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

}  // namespace

bool is_portable(std::uint32_t type_oid) { return array_of(type_oid) != 0; }

std::uint32_t array_of(std::uint32_t type_oid) {
    const auto found = std::ranges::find(kPortable, type_oid, &Type::oid);
    return found == kPortable.end() ? 0 : found->array;
}

bool is_text(std::uint32_t type_oid) {
    return type_oid == kText || type_oid == kVarchar || type_oid == kBpchar || type_oid == kName || type_oid == kJson;
}

std::string describe(std::uint32_t type_oid, std::string_view bytes) {
    if (is_text(type_oid)) return printable(bytes, kShown);
    if (type_oid == kBool && bytes.size() == 1) return bytes.front() == 0 ? "f" : "t";
    if ((type_oid == kInt2 && bytes.size() == 2) || (type_oid == kInt4 && bytes.size() == 4) || (type_oid == kInt8 && bytes.size() == 8))
        return std::to_string(whole(bytes));
    if (type_oid == kOid && bytes.size() == 4) return std::to_string(static_cast<std::uint32_t>(whole(bytes)));
    if (type_oid == kUuid && bytes.size() == 16)
        return fmt::format("{}-{}-{}-{}-{}", hex(bytes.substr(0, 4)), hex(bytes.substr(4, 2)), hex(bytes.substr(6, 2)), hex(bytes.substr(8, 2)), hex(bytes.substr(10)));
    return fmt::format("x'{}'{}", hex(bytes), bytes.size() > kShown / 2 ? "…" : "");
}

}  // namespace rowferry::pg_binary
