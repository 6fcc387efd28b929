#include "decoder/sqlite_wal/row_image.h"

namespace rowferry {

std::span<const Cell> RowImage::decode(const DeltaSide& side, RowRef ref) {
    constexpr std::size_t kLargeBuffer = 4 * 1024 * 1024;
    texts_.clear();
    if (payload_.capacity() > kLargeBuffer) payload_ = {};
    const BtreeCell cell = side.database->page(ref.page).cell(ref.cell);
    cells_.resize(side.layout->width());
    side.layout->decode(cell.rowid, whole_payload(*side.database, cell, ref.page, payload_), ref.page, texts_, cells_);
    return cells_;
}

std::span<const Cell> RowImage::reshaped(std::span<const int> from, const RowLayout& shape) {
    reshaped_.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
        const RowLayout::Column& column = shape.columns()[i];
        reshaped_[i] = from[i] >= 0 ? cells_[static_cast<std::size_t>(from[i])] : column.has_missing ? column.missing : Cell::absent();
    }
    return reshaped_;
}

}  // namespace rowferry
