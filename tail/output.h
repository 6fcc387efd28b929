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
/// moment. A file that ends in the middle of a line, as a crash leaves one, gets a newline in front of the first text. One thread.
/// Errors: ReaderGoneError, InterruptedError, RetryableError for a full disk and the like: what was written by then has left the buffer, so that
/// the next flush() goes on right behind it.
class Output {
public:
    Output(int fd, const StopSignal& stop);

    /// Takes all of the text, or throws and takes nothing of it.
    void write(std::string_view text);
    /// Hands over everything that was written.
    void flush();
    /// Where the descriptor is a file: until its content survives a crash of the machine. Throws HaltError: what was written may be lost, and a second
    /// attempt could not tell.
    void sync();
    /// Throws ReaderGoneError when it can be told that the reader has gone, although there is nothing to write.
    void check_reader() const;

private:
    [[nodiscard]] bool ends_within_a_line() const;
    [[nodiscard]] std::size_t write_some(std::string_view text);
    [[nodiscard]] bool wait_writable(bool stopping) const;

    int fd_;
    const StopSignal& stop_;
    bool is_file_ = false;
    bool begun_ = false;
    bool synced_ = true;
    std::string buffer_;
};

}  // namespace rowferry
