#include "cli/progress.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "schemas/calendar.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr std::chrono::milliseconds kLogInterval{10'000};

std::size_t terminal_width() {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col : 80;
}

std::string short_time(std::uint64_t seconds) {
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    return fmt::format("{} h", seconds / 3600);
}

std::uint64_t rows_per_second(const CopyProgress& progress) {
    const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(1, progress.elapsed.count()));
    return static_cast<std::uint64_t>(static_cast<double>(progress.rows) * 1000.0 / static_cast<double>(milliseconds));
}

}  // namespace

std::string copy_line(const CopyProgress& progress) {
    const std::uint64_t rate = rows_per_second(progress);
    if (progress.finished) {
        const auto seconds = static_cast<double>(progress.elapsed.count()) / 1000.0;
        return fmt::format("copied {} tables, {} rows, in {:.1f} s", progress.tables, progress.rows, seconds) +
               (seconds < 0.1 ? "" : fmt::format(", {} rows/s", rate));
    }
    std::string line = fmt::format("copying: {}/{} tables, now {}, {}", progress.tables_done, progress.tables, printable(progress.table, 60),
                                   progress.rows);
    if (progress.rows_expected) line += fmt::format(" of about {}", std::max(*progress.rows_expected, progress.rows));
    line += fmt::format(" rows, {} rows/s", rate);
    if (progress.rows_expected && *progress.rows_expected > progress.rows && rate > 0)
        line += fmt::format(", {} left", short_time((*progress.rows_expected - progress.rows) / rate + 1));
    return line;
}

Progress::Mode progress_mode(std::optional<bool> wanted, LogFormat format) {
    if (wanted == false) return Progress::Mode::none;
    return format == LogFormat::text && ::isatty(STDERR_FILENO) == 1 ? Progress::Mode::line : Progress::Mode::log;
}

bool Progress::due(std::chrono::milliseconds interval) {
    const auto now = Clock::now();
    if (shown_ && now - *shown_ < interval) return false;
    shown_ = now;
    return true;
}

void Progress::draw(std::string line) {
    // A line that wraps could not be redrawn. Cutting may not split a character.
    std::size_t end = std::min(line.size(), terminal_width() - 1);
    while (end > 0 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
    show_status(line);
}

void Progress::copying(const CopyProgress& progress) {
    if (mode_ == Mode::none) return;
    if (progress.finished) {
        show_status("");
        spdlog::info("{}", copy_line(progress));
        shown_.reset();
    } else if (mode_ == Mode::line) {
        if (due(kRedraw)) draw(copy_line(progress));
    } else if (!shown_) {
        due(kLogInterval);  // The first line comes when the copy turns out to take long.
    } else if (due(kLogInterval)) {
        spdlog::info("{}", copy_line(progress));
    }
}

void Progress::following(Position position, std::int64_t commit_time_us) {
    position_ = position;
    if (mode_ != Mode::line || !due(kRedraw)) return;
    std::string line = "following: at " + to_string(kind_, position);
    if (commit_time_us != 0) line += ", last commit " + utc_time(commit_time_us, 3);
    draw(std::move(line));
}

}  // namespace rowferry
