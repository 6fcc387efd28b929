#pragma once

#include <stdexcept>
#include <string>

namespace rowferry {

/// What an error means for the stream, and so for whoever has to react to it. Decided where the error is thrown.
enum class ErrorKind {
    retryable,    ///< Lost connection, busy file, restart: backoff and try again. Exit code 1 when given up.
    usage,        ///< Wrong command line or configuration. Exit code 2.
    refused,      ///< Found before anything was written. Exit code 3.
    interrupted,  ///< A signal asked for the end. Exit code 0 or 6.
    halted,       ///< Needs a person: gap, conflict, other leader, a value that does not fit. Exit code 7.
};

/// Every error of rowferry. The message is one line, says what, where and what to do, holds no password
/// and no row values except those of key columns.
class Error : public std::runtime_error {
public:
    Error(ErrorKind kind, const std::string& what) : std::runtime_error{what}, kind_{kind} {}
    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

class RetryableError : public Error {
public:
    explicit RetryableError(const std::string& what) : Error{ErrorKind::retryable, what} {}
};

/// The connection was lost while a transaction was committed: it may or may not have taken effect.
class UnknownOutcomeError : public RetryableError {
public:
    using RetryableError::RetryableError;
};

class UsageError : public Error {
public:
    explicit UsageError(const std::string& what) : Error{ErrorKind::usage, what} {}
};

class RefusedError : public Error {
public:
    explicit RefusedError(const std::string& what) : Error{ErrorKind::refused, what} {}
};

class InterruptedError : public Error {
public:
    explicit InterruptedError(const std::string& what) : Error{ErrorKind::interrupted, what} {}
};

class HaltError : public Error {
public:
    explicit HaltError(const std::string& what) : Error{ErrorKind::halted, what} {}
};

/// Bytes from outside that are not what their format says.
class DecodeError : public HaltError {
public:
    using HaltError::HaltError;
};

/// A value that the follower's column cannot hold exactly. Thrown without a place; the applier adds table, key, column
/// and position once, where it knows them.
class ValueError : public HaltError {
public:
    using HaltError::HaltError;
};

}  // namespace rowferry
