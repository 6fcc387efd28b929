#include "tail/pending_records.h"

#include <algorithm>
#include <cstring>

namespace rowferry {
namespace {

constexpr std::size_t kHeader = sizeof(std::uint64_t);
constexpr std::size_t kWindow = 256 * 1024;  // read from the file at once

/// File and memory as one run of bytes.
class Bytes {
public:
    Bytes(const ScratchFile* file, const std::string& memory) : file_{file}, memory_{memory}, in_file_{file == nullptr ? 0 : file->size()} {}

    [[nodiscard]] bool at_end() const { return left_in_window() == 0 && read_ == in_file_ && from_memory_ == memory_.size(); }

    std::string_view take(std::size_t size) {
        // No record lies partly in the file.
        if (left_in_window() == 0 && read_ == in_file_) {
            const std::string_view bytes = std::string_view{memory_}.substr(from_memory_, size);
            from_memory_ += size;
            return bytes;
        }
        if (left_in_window() < size) refill(size);
        const std::string_view bytes = std::string_view{window_}.substr(at_, size);
        at_ += size;
        return bytes;
    }

private:
    [[nodiscard]] std::size_t left_in_window() const { return window_.size() - at_; }

    void refill(std::size_t size) {
        window_.erase(0, at_);
        at_ = 0;
        const std::size_t have = window_.size();
        const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(size - have, kWindow), in_file_ - read_));
        window_.resize(have + more);
        file_->read(read_, {window_.data() + have, more});
        read_ += more;
    }

    const ScratchFile* file_;
    const std::string& memory_;
    std::uint64_t in_file_;
    std::uint64_t read_ = 0;
    std::size_t from_memory_ = 0;
    std::string window_;
    std::size_t at_ = 0;
};

}  // namespace

void PendingRecords::add(std::string_view body, bool description) {
    if (!description) ++changes_;
    const std::uint64_t header = static_cast<std::uint64_t>(body.size()) << 1 | (description ? 1 : 0);
    char bytes[kHeader];
    std::memcpy(bytes, &header, kHeader);
    memory_.append(bytes, kHeader);
    memory_ += body;
    if (memory_.size() <= limit_) return;
    if (!file_) file_.emplace(directory_);
    file_->append(memory_);
    memory_.clear();
}

void PendingRecords::for_each(const std::function<void(std::string_view, bool, bool)>& take) const {
    Bytes bytes{file_ ? &*file_ : nullptr, memory_};
    for (std::uint64_t seen = 0; !bytes.at_end();) {
        std::uint64_t header = 0;
        std::memcpy(&header, bytes.take(kHeader).data(), kHeader);
        const bool description = (header & 1) != 0;
        if (!description) ++seen;
        take(bytes.take(static_cast<std::size_t>(header >> 1)), description, !description && seen == changes_);
    }
}

void PendingRecords::clear() noexcept {
    // What one large record needed is given back.
    if (memory_.capacity() > 2 * limit_) memory_.shrink_to_fit();
    memory_.clear();
    file_.reset();
    changes_ = 0;
}

}  // namespace rowferry
