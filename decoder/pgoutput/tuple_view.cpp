#include "decoder/pgoutput/tuple_view.h"

#include <fmt/format.h>

namespace rowferry::pgoutput {
namespace {

ColumnValue read_column(ByteReader& in) {
    const auto tag = static_cast<char>(in.u8());
    switch (tag) {
        case 'n':
        case 'u':
            return {static_cast<ValueKind>(tag), {}};
        case 't':
        case 'b':
            return {static_cast<ValueKind>(tag), in.take_text(in.count32("length of a value"))};
        default:
            in.fail_at(fmt::format("unknown column kind {:#04x}", static_cast<unsigned char>(tag)), in.offset() - 1);
    }
}

}  // namespace

TupleView TupleView::read(ByteReader& in) {
    TupleView tuple;
    tuple.count_ = in.count16("column count");
    const std::size_t start = in.offset();
    for (std::size_t i = 0; i < tuple.count_; ++i) read_column(in);
    tuple.columns_ = in.since(start);
    return tuple;
}

TupleView::Iterator::Iterator(std::span<const std::byte> columns, std::size_t count) : in_{columns, "tuple"}, left_{count} {
    if (left_ != 0) value_ = read_column(in_);
}

void TupleView::Iterator::step() {
    if (--left_ != 0) value_ = read_column(in_);
}

}  // namespace rowferry::pgoutput
