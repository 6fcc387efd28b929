#pragma once

#include <string>

namespace rowferry {

/// Names of what a stream leaves on a PostgreSQL leader. Slots belong to the whole server, so theirs holds the database's oid.
inline std::string slot_prefix(const std::string& database_oid) { return "rowferry_" + database_oid + "_"; }
inline std::string slot_name(const std::string& database_oid, const std::string& stream) { return slot_prefix(database_oid) + stream; }
/// A temporary slot that only tells where a snapshot of single tables lies. Not `slot_prefix`: another stream's name could end like that.
inline std::string copy_slot_name(const std::string& database_oid, const std::string& stream) { return "rowferrycopy_" + database_oid + "_" + stream; }
inline std::string publication_name(const std::string& stream) { return "rowferry_" + stream; }
/// The second publication, for tables that are published for inserts only. A dot cannot occur in the name of a stream.
inline std::string insert_publication_name(const std::string& stream) { return publication_name(stream) + ".insert"; }
/// application_name of every connection of a stream; synchronous_standby_names lists it.
inline std::string application_name(const std::string& stream) { return "rowferry_" + stream; }

}  // namespace rowferry
