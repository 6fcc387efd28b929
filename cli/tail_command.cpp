#include <cstdlib>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/sqlite/sqlite_stream_state.h"
#include "cli/capture.h"
#include "cli/commands.h"
#include "cli/databases.h"
#include "schemas/error.h"
#include "tail/tail_sink.h"

namespace rowferry {
namespace {

bool wants_colour() {
    const auto variable = [](const char* name) -> std::string_view {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    return ::isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

class Target : public TailTarget {
public:
    Target(TailPrinter& printer, StreamState* state) : printer_{printer}, state_{state} {}
    std::unique_ptr<Sink> open(const Checkpoint& checkpoint) override {
        printer_.set_leader(checkpoint.leader, checkpoint.position_kind);
        return std::make_unique<TailSink>(printer_, state_);
    }
    void skip_to(Position position) override { printer_.skip_to(position); }
    void look() override { printer_.check_reader(); }

private:
    TailPrinter& printer_;
    StreamState* state_;
};

/// Remembers where the stream is; what it says goes to standard output.
class LastPosition : public Observer {
public:
    void following(Position position, std::int64_t) override { position_ = position; }
    std::optional<Position> position_;
};

void make_folder(const std::string& state) {
    const std::filesystem::path folder = std::filesystem::path{state}.parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) throw RefusedError{fmt::format("{}: {}", folder.string(), error.message())};
}

}  // namespace

std::string tail_command(const Options& options, const StopSignal& stop) {
    const RunOptions& run = options.run;
    std::unique_ptr<StreamState> state;
    if (!options.tail.state.empty()) {
        make_folder(options.tail.state);
        state = make_sqlite_stream_state(options.tail.state, stop);
    }
    const CaptureMethod capture = choose_capture(options, stop);
    const bool displace = options.leader.engine == Engine::sqlite && capture == CaptureMethod::triggers && !run.request.exact_replace;
    TailPrinter printer{make_record_format(options.tail.format, {wants_colour(), displace}), Output{STDOUT_FILENO, stop}, options.tail.kinds, run.request.spool};
    Target target{printer, state.get()};
    LastPosition last;
    const auto at = [&](std::string_view what) {
        const PositionKind kind = position_kind(options.leader.engine, capture);
        return last.position_ ? fmt::format("{} at {}, {} record(s) printed", what, to_string(kind, *last.position_), printer.records())
                              : fmt::format("{}, {} record(s) printed", what, printer.records());
    };
    try {
        tail_stream(leader_factory(options, capture, stop), state.get(), target, {run.request, options.tail.from, run.until, run.retry_for}, stop,
                    last);
    } catch (const ReaderGoneError& error) {
        spdlog::debug("{}", error.what());
        return {};
    } catch (const InterruptedError&) {
        throw InterruptedError{at("stopped") + ", before --until was reached"};
    }
    return run.until.kind == Until::Kind::never ? at("stopped") : at("done");
}

}  // namespace rowferry
