#include "replication/copy_workers.h"

#include <random>
#include <set>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "replication/copy_writers.h"
#include "schemas/error.h"
#include "tests/support/writer.h"

namespace rowferry {
namespace {

using test::choose_seed;

// Made before there are threads, as in the program: the library that makes it is not one that ThreadSanitizer can see into.
const auto kLogger = spdlog::default_logger();

/// A follower whose rows are the numbers of one column; what was not finished is gone.
struct Rows {
    std::mutex mutex;
    std::multiset<std::int64_t> kept;
};

/// Loses its connection now and then.
class ShakyTarget : public CopyTarget {
public:
    ShakyTarget(Rows& rows, std::function<void()> shake) : rows_{rows}, shake_{std::move(shake)} {}
    void write(std::span<const Event> rows) override {
        shake_();
        for (const Event& row : rows) pending_.push_back(std::get<Change>(row).after[0].as_integer());
    }
    void finish() override {
        shake_();
        const std::lock_guard lock{rows_.mutex};
        rows_.kept.insert(pending_.begin(), pending_.end());
    }

private:
    Rows& rows_;
    std::function<void()> shake_;
    std::vector<std::int64_t> pending_;
};

class ShakyLane : public CopyLane {
public:
    ShakyLane(Rows& rows, std::function<void()> shake) : rows_{rows}, shake_{std::move(shake)} {}
    std::unique_ptr<CopyTarget> copy_into(const TablePtr&) override { return std::make_unique<ShakyTarget>(rows_, shake_); }

private:
    Rows& rows_;
    std::function<void()> shake_;
};

/// The range `a-b` of a table holds the numbers from a up to, but not including, b.
class NumberReader : public RowReader {
public:
    RowForm open_table(const TablePtr& table, const std::string& range, RowForm) override {
        table_ = table;
        next_ = std::stoll(range);
        end_ = std::stoll(range.substr(range.find('-') + 1));
        return RowForm::cells;
    }
    bool read_rows(Batch& batch, std::size_t) override {
        for (int i = 0; i < 10 && next_ < end_; ++i) {
            const std::span<Cell> cells = batch.arena().array<Cell>(1);
            cells[0] = Cell::integer(next_++);
            batch.add(Change{batch.keep(table_), Operation::insert, {}, cells});
        }
        return next_ < end_;
    }

private:
    TablePtr table_;
    std::int64_t next_ = 0;
    std::int64_t end_ = 0;
};

TablePtr numbers() {
    auto table = std::make_shared<TableSchema>();
    table->name = {"public", "numbers"};
    table->columns.resize(1);
    return table;
}

std::vector<CopyPart> parts_of(const TablePtr& table, int parts, int rows) {
    std::vector<CopyPart> result;
    for (int part = 0; part < parts; ++part) result.push_back({table, std::to_string(part * rows) + "-" + std::to_string((part + 1) * rows)});
    return result;
}

std::multiset<std::int64_t> all_numbers(int count) {
    std::multiset<std::int64_t> numbers;
    for (int i = 0; i < count; ++i) numbers.insert(i);
    return numbers;
}

CopyWorkers workers_for(std::vector<CopyPart> parts, const std::function<CopyWorkers::Way()>& open_way, const StopSignal& stop) {
    CopyWorkers::Way first = open_way();
    return {std::move(parts), std::move(first), open_way, stop};
}

TEST(CopyWorkers, EveryRowArrivesOnceThoughConnectionsAreLost) {
    const std::uint64_t seed = choose_seed();
    for (std::uint64_t round = 0; round < 50; ++round) {
        std::mt19937_64 random{seed + round};
        std::mutex mutex;
        int losses = static_cast<int>(random() % 5);
        const auto shake = [&] {
            const std::lock_guard lock{mutex};
            if (losses > 0 && random() % 20 == 0) {
                --losses;
                throw RetryableError{"the connection is gone"};
            }
        };
        Rows rows;
        const StopSignal stop;
        const std::size_t jobs = 1 + random() % 4;
        CopyWorkers workers = workers_for(parts_of(numbers(), 12, 57),
                            [&] { return CopyWorkers::Way{std::make_unique<NumberReader>(), std::make_unique<ShakyLane>(rows, shake)}; }, stop);
        workers.run(jobs, [] {});
        ASSERT_EQ(rows.kept, all_numbers(12 * 57)) << "seed " << seed + round;
        EXPECT_EQ(workers.rows(), 12U * 57U);
        EXPECT_EQ(workers.tables_done(), 1U);
    }
}

TEST(CopyWorkers, AConnectionThatIsLostAgainAndAgainIsAnOutage) {
    Rows rows;
    const StopSignal stop;
    CopyWorkers workers = workers_for(parts_of(numbers(), 4, 50),
                        [&] {
                            return CopyWorkers::Way{std::make_unique<NumberReader>(),
                                                    std::make_unique<ShakyLane>(rows, [] { throw RetryableError{"the connection is gone"}; })};
                        },
                        stop);
    EXPECT_THROW(workers.run(2, [] {}), RetryableError);
    EXPECT_TRUE(rows.kept.empty());
}

TEST(CopyWorkers, APartThatNobodyCanTakeOverIsAnOutage) {
    const std::uint64_t seed = choose_seed();
    for (std::uint64_t round = 0; round < 200; ++round) {
        std::mt19937_64 random{seed + round};
        std::mutex mutex;
        bool lost = false;
        const auto shake = [&] {
            const std::lock_guard lock{mutex};
            if (lost || random() % 10 != 0) return;
            lost = true;
            throw RetryableError{"the connection is gone"};
        };
        Rows rows;
        const StopSignal stop;
        std::size_t opened = 0;
        CopyWorkers workers = workers_for(parts_of(numbers(), 2, 40),
                            [&] {
                                if (++opened > 2) throw RetryableError{"no connection is left"};
                                return CopyWorkers::Way{std::make_unique<NumberReader>(), std::make_unique<ShakyLane>(rows, shake)};
                            },
                            stop);
        try {
            workers.run(2, [] {});
            ASSERT_EQ(rows.kept, all_numbers(80)) << "seed " << seed + round;
        } catch (const RetryableError&) {
            ASSERT_LT(rows.kept.size(), 80U) << "seed " << seed + round;
        }
    }
}

TEST(CopyWorkers, TheFirstErrorEndsAllOfThem) {
    Rows rows;
    const StopSignal stop;
    std::atomic<int> calls{0};
    CopyWorkers workers = workers_for(parts_of(numbers(), 40, 500),
                        [&] {
                            return CopyWorkers::Way{std::make_unique<NumberReader>(), std::make_unique<ShakyLane>(rows, [&] {
                                                        if (++calls == 30) throw HaltError{"a row does not fit"};
                                                    })};
                        },
                        stop);
    EXPECT_THROW(workers.run(3, [] {}), HaltError);
    EXPECT_LT(calls, 40 * 51) << "the others went on to the end";
}

TEST(CopyWorkers, AStopEndsThem) {
    Rows rows;
    StopSignal stop;
    std::atomic<int> calls{0};
    CopyWorkers workers = workers_for(parts_of(numbers(), 40, 500),
                        [&] {
                            return CopyWorkers::Way{std::make_unique<NumberReader>(), std::make_unique<ShakyLane>(rows, [&] {
                                                        if (++calls == 30) stop.request();
                                                    })};
                        },
                        stop);
    EXPECT_THROW(workers.run(3, [] {}), InterruptedError);
}

class WritersOfNumbers {
public:
    WritersOfNumbers(std::size_t writers, const std::function<void()>& shake) {
        std::vector<std::unique_ptr<CopyTarget>> targets;
        for (std::size_t i = 0; i < writers; ++i) targets.push_back(std::make_unique<ShakyTarget>(rows, shake));
        writers_.emplace(std::move(targets));
    }
    void write(int count) {
        NumberReader reader;
        reader.open_table(numbers(), "0-" + std::to_string(count), RowForm::cells);
        for (bool more = true; more;) {
            BatchPtr batch = writers_->take_empty();
            more = reader.read_rows(*batch, 1);
            writers_->write(std::move(batch), [] {});
        }
        writers_->finish([] {});
    }
    void give_up() { writers_.reset(); }
    Rows rows;

private:
    std::optional<CopyWriters> writers_;
};

TEST(CopyWriters, EveryRowArrivesOnce) {
    for (const std::size_t writers : {1, 2, 5}) {
        WritersOfNumbers copy{writers, [] {}};
        copy.write(5003);
        EXPECT_EQ(copy.rows.kept, all_numbers(5003));
    }
}

TEST(CopyWriters, TheReaderHearsOfAnError) {
    std::atomic<int> calls{0};
    WritersOfNumbers copy{3, [&] {
                              if (++calls == 20) throw HaltError{"a row does not fit"};
                          }};
    EXPECT_THROW(copy.write(100'000), HaltError);
    copy.give_up();
    EXPECT_LT(copy.rows.kept.size(), 100'000U);
}

}  // namespace
}  // namespace rowferry
