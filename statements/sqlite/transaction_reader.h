#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "statements/sqlite/recorded_statement.h"

namespace rowferry {

/// Reads a statement log transaction by transaction, in commit order. One thread. Errors: HaltError for a log that is not what it was or holds something that cannot
/// be followed, RetryableError for one that cannot be read now.
class TransactionReader {
public:
    enum class Outcome : std::uint8_t {
        committed,
        rolled_back,  ///< It is passed over; the next one stands behind it.
        incomplete,   ///< The log ends inside of it: abandon() and try again later.
    };
    virtual ~TransactionReader() = default;

    /// Begins the next transaction; nothing when there is none now.
    virtual std::optional<TransactionStart> begin() = 0;
    /// Its next statement; nothing at its end.
    virtual std::optional<RecordedStatement> next() = 0;
    [[nodiscard]] virtual Outcome outcome() const = 0;
    /// Of a transaction that was committed, at its end.
    [[nodiscard]] virtual TransactionEnd end() const = 0;
    /// The transaction is done with: begin() gives the one behind it.
    virtual void accept() = 0;
    /// begin() gives the same one again.
    virtual void abandon() = 0;

    /// Where the last statement stands, for messages.
    [[nodiscard]] virtual std::string place() const = 0;
    /// Do the transactions have a digest of what they did?
    [[nodiscard]] virtual bool checked() const = 0;
};

}  // namespace rowferry
