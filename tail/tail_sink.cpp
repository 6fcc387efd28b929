#include "tail/tail_sink.h"

namespace rowferry {

void TailSink::apply(std::span<const Event> events) {
    printer_.apply(events);
    if (state_ == nullptr) return;
    for (const Event& event : events)
        if (const auto* change = std::get_if<ShapeChange>(&event)) state_->change_shape(*change);
}

void TailSink::commit(const CheckpointAdvance& advance) {
    printer_.flush(state_ != nullptr);
    if (state_ != nullptr) state_->commit(advance, printer_.given());
}

void TailSink::rollback() noexcept {
    printer_.abandon();
    if (state_ != nullptr) state_->rollback();
}

}  // namespace rowferry
