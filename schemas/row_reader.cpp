#include "schemas/row_reader.h"

#include <stdexcept>

#include "schemas/follower.h"

namespace rowferry {

bool RowReader::read_raw(RawRows&, std::size_t) { throw std::logic_error{"this reader has cells only"}; }

void CopyTarget::write_raw(RawRows&) { throw std::logic_error{"this target takes cells only"}; }

}  // namespace rowferry
