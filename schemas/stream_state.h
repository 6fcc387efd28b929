#pragma once

#include <optional>
#include <string>

#include "schemas/batch.h"
#include "schemas/checkpoint.h"
#include "schemas/sink.h"

namespace rowferry {

/// Where a stream that keeps no rows durably keeps what a follower keeps in its checkpoint: position, resume blob, the tables' shapes. One thread.
/// Errors: RetryableError, RefusedError (somebody else has it, or it belongs to something else), HaltError.
class StreamState {
public:
    virtual ~StreamState() = default;

    /// For messages.
    [[nodiscard]] virtual std::string describe() const = 0;

    /// Takes the stream's lock, which holds until destruction. Once; again after it threw.
    virtual void open(const std::string& stream) = 0;
    /// The checkpoint as it is now, if there is one.
    virtual std::optional<Checkpoint> load() = 0;
    /// After a refusal: what open() made is taken away again, if nothing was written to it since. Never throws.
    virtual void undo_open() noexcept = 0;
    /// Writes the checkpoint `copying`, before anything is made on the leader, and again with the tables.
    virtual void begin(const Checkpoint& copying) = 0;
    /// The stream is on the leader.
    virtual void ready(const Checkpoint& ready) = 0;

    /// The end of the last transaction of which a reader was given anything, or where the stream began: between it and the checkpoint's position there
    /// was nothing for a reader. After ready().
    virtual Position given() = 0;

    /// From here on the four below.
    virtual void follow(const Checkpoint& checkpoint) = 0;
    /// Of the group that the next commit() ends.
    virtual void change_shape(const ShapeChange& change) = 0;
    /// Durable on return. `given`: see above; an earlier one leaves what is stored. Throws HaltError when somebody else moved the checkpoint.
    virtual void commit(const CheckpointAdvance& advance, Position given) = 0;
    virtual void rollback() noexcept = 0;
};

}  // namespace rowferry
