#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// The binary form of PostgreSQL's types: what their send functions make, in pgoutput's binary columns, in COPY BINARY and in parameters of format 1
/// alike. Text in it is in the client's encoding, which is UTF-8 on both sides here.
namespace rowferry::pg_binary {

/// A built-in type, or an array of one, whose binary form is the same in PostgreSQL 15 to 17 and depends on no setting. Not money (its scale is
/// lc_monetary's), xml (says its own encoding), nor anything that a user or an extension made.
[[nodiscard]] bool is_portable(std::uint32_t type_oid);
/// A type whose binary form depends on the major version: interval and its arrays know infinity from 17 on.
[[nodiscard]] bool depends_on_version(std::uint32_t type_oid);
/// Its binary form is the text itself.
[[nodiscard]] bool is_text(std::uint32_t type_oid);

/// For messages: numbers, texts and UUIDs as people read them, anything else in hexadecimal, cut where it is long.
[[nodiscard]] std::string describe(std::uint32_t type_oid, std::string_view bytes);

}  // namespace rowferry::pg_binary
