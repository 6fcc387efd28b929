#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schemas/error.h"

namespace rowferry {

/// A value in binary form cannot be carried on from here. Nothing is wrong and nobody was away: the stream goes on as text from its last position.
class TextNeededError : public RetryableError {
public:
    using RetryableError::RetryableError;
};

}  // namespace rowferry

/// The binary form of PostgreSQL's types: what their send functions make, in pgoutput's binary columns, in COPY BINARY and in parameters of format 1
/// alike. Text in it is in the client's encoding, which is UTF-8 on both sides here.
namespace rowferry::pg_binary {

/// COPY … (FORMAT binary), https://www.postgresql.org/docs/15/sql-copy.html: signature, flags:u32, length:u32 of an extension and it, rows, a word of -1.
inline constexpr std::string_view kCopyHeader{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
inline constexpr std::string_view kCopySignature = kCopyHeader.substr(0, 11);
inline constexpr std::string_view kCopyTrailer{"\377\377", 2};

/// A built-in type whose binary form is the same in PostgreSQL 15 to 17 and depends on no setting. Not money (its scale is
/// lc_monetary's), interval (knows infinity from 17 on), xml (says its own encoding), arrays (there are no arrays of arrays, by which many rows are written), nor
/// anything that a user or an extension made.
[[nodiscard]] bool is_portable(std::uint32_t type_oid);
/// The array of a portable type; 0 for any other type.
[[nodiscard]] std::uint32_t array_of(std::uint32_t type_oid);
/// Its binary form is the text itself.
[[nodiscard]] bool is_text(std::uint32_t type_oid);

/// For messages: numbers, texts and UUIDs as people read them, anything else in hexadecimal, cut where it is long.
[[nodiscard]] std::string describe(std::uint32_t type_oid, std::string_view bytes);

}  // namespace rowferry::pg_binary
