#pragma once

#include "schemas/sink.h"
#include "schemas/stream_state.h"
#include "tail/tail_printer.h"

namespace rowferry {

/// Prints what a source yields. A position counts as committed when its records were handed over to who reads the output, and after that is
/// written down, where there is a state: whoever dies in between prints them once more, never not at all.
class TailSink : public Sink {
public:
    /// `state`: null for a stream that nobody goes on with; else after follow(). Both outlive the sink.
    TailSink(TailPrinter& printer, StreamState* state) : printer_{printer}, state_{state} {}
    ~TailSink() override { TailSink::rollback(); }

    void apply(std::span<const Event> events) override;
    void commit(const CheckpointAdvance& advance) override;
    void rollback() noexcept override;

private:
    TailPrinter& printer_;
    StreamState* state_;
};

}  // namespace rowferry
