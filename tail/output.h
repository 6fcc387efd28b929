#pragma once

#include <string>
#include <string_view>

#include "db/stop_signal.h"
#include "schemas/error.h"

namespace rowferry {

/// Nobody reads the output any more: the end of a pipe was closed.
class ReaderGoneError : public Error {
public:
    ReaderGoneError() : Error{ErrorKind::interrupted, "nobody reads the output any more"} {}
};

/// A descriptor that text goes to, through a small buffer. A reader that takes nothing makes us wait, and a stop signal ends that wait after a
/// moment. One thread. Errors: ReaderGoneError, InterruptedError, RetryableError for a full disk and the like; what was written by then is
/// unknown.
class Output {
public:
    Output(int fd, const StopSignal& stop);

    void write(std::string_view text);
    /// Hands over everything that was written.
    void flush();
    /// Where the descriptor is a file: until its content survives a crash of the machine.
    void sync();
    /// Throws ReaderGoneError when it can be told that the reader has gone, although there is nothing to write.
    void check_reader() const;

private:
    void drain(std::string_view text);
    [[nodiscard]] bool wait_writable(bool stopping) const;

    int fd_;
    const StopSignal& stop_;
    bool is_file_ = false;
    bool synced_ = true;
    std::string buffer_;
};

}  // namespace rowferry
