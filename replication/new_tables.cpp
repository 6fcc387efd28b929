#include "replication/new_tables.h"

#include <iterator>
#include <utility>

namespace rowferry {
namespace {

class TellingSource : public Source {
public:
    TellingSource(std::unique_ptr<Source> source, NewTables& tables) : source_{std::move(source)}, tables_{tables} {}

    void read(Batch& batch, std::size_t budget, std::chrono::milliseconds wait) override {
        source_->read(batch, budget, wait);
        tables_.add(source_->take_new_tables());
    }
    void report(Position durable) override { source_->report(durable); }
    void wake_on(int fd) override { source_->wake_on(fd); }
    void cut_at(Position fence) override { source_->cut_at(fence); }
    [[nodiscard]] bool leader_waits_for_us() const override { return source_->leader_waits_for_us(); }

private:
    std::unique_ptr<Source> source_;
    NewTables& tables_;
};

}  // namespace

void NewTables::add(std::vector<TableName> names) {
    if (names.empty()) return;
    const std::lock_guard lock{mutex_};
    std::move(names.begin(), names.end(), std::back_inserter(names_));
}

std::vector<TableName> NewTables::take() {
    const std::lock_guard lock{mutex_};
    return std::exchange(names_, {});
}

std::unique_ptr<Source> tell_new_tables(std::unique_ptr<Source> source, NewTables& tables) {
    return std::make_unique<TellingSource>(std::move(source), tables);
}

}  // namespace rowferry
