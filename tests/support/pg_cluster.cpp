#include "tests/support/pg_cluster.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace rowferry::test {
namespace fs = std::filesystem;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

struct ResultClear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultClear>;

std::string describe(PGconn* conn, const PGresult* result, const std::string& sql) {
    const char* state = result != nullptr ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
    const std::string_view text = result != nullptr ? PQresultErrorMessage(result) : PQerrorMessage(conn);
    return fmt::format("{} [{}] in: {}", text, state != nullptr ? state : "-", sql.substr(0, 400));
}

bool succeeded(const PGresult* result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

fs::path bin_dir() {
    static const fs::path dir = [] {
        const Outcome config = run_program({"pg_config", "--bindir"});
        std::string found = config.out;
        while (!found.empty() && found.back() == '\n') found.pop_back();
        if (config.exit_code == 0 && fs::exists(fs::path{found} / "initdb")) return fs::path{found};
        std::vector<fs::path> candidates;
        if (fs::exists("/usr/lib/postgresql"))
            for (const auto& entry : fs::directory_iterator{"/usr/lib/postgresql"})
                if (fs::exists(entry.path() / "bin/initdb")) candidates.push_back(entry.path() / "bin");
        if (candidates.empty()) throw std::runtime_error{"no PostgreSQL server programs found (package postgresql)"};
        return *std::max_element(candidates.begin(), candidates.end());
    }();
    return dir;
}

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error{"no free port"};
    ::close(fd);
    return ntohs(address.sin_port);
}

/// initdb once per program; its files are copied for every cluster.
const fs::path& cluster_template() {
    static const fs::path path = [] {
        fs::path dir = new_temp_dir("template");
        give_to_server_user(dir);
        const Outcome done = run_program({(bin_dir() / "initdb").string(), "-D", (dir / "data").string(), "-U", "postgres", "-A", "trust",
                                          "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"},
                                         true);
        if (done.exit_code != 0) throw std::runtime_error{"initdb: " + done.err};
        return dir / "data";
    }();
    return path;
}

/// Postmaster and all its children: backends are sessions of their own, so the process group alone would miss them.
std::vector<pid_t> processes_of(pid_t postmaster) {
    std::vector<pid_t> found{postmaster};
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream stat{entry.path() / "stat"};
        std::string line;
        std::getline(stat, line);
        const std::size_t paren = line.rfind(')');
        if (paren == std::string::npos) continue;
        std::istringstream rest{line.substr(paren + 1)};
        char state = 0;
        pid_t parent = 0;
        rest >> state >> parent;
        if (parent == postmaster) found.push_back(std::stoi(name));
    }
    return found;
}

}  // namespace

PgConnection::PgConnection(const std::string& uri) : conn_{PQconnectdb(uri.c_str())} {
    if (PQstatus(conn_.get()) != CONNECTION_OK) throw std::runtime_error{PQerrorMessage(conn_.get())};
    PQsetNoticeProcessor(conn_.get(), [](void*, const char*) {}, nullptr);
}

bool PgConnection::lost() const { return PQstatus(conn_.get()) != CONNECTION_OK; }

void PgConnection::exec(const std::string& sql) {
    const Result result{PQexec(conn_.get(), sql.c_str())};
    if (!succeeded(result.get())) throw std::runtime_error{describe(conn_.get(), result.get(), sql)};
}

bool PgConnection::try_exec(const std::string& sql) {
    const Result result{PQexec(conn_.get(), sql.c_str())};
    if (succeeded(result.get())) return true;
    if (lost()) throw std::runtime_error{describe(conn_.get(), result.get(), sql)};
    return false;
}

std::vector<PgRow> PgConnection::query(const std::string& sql) {
    const Result result{PQexec(conn_.get(), sql.c_str())};
    if (!succeeded(result.get())) throw std::runtime_error{describe(conn_.get(), result.get(), sql)};
    std::vector<PgRow> rows(static_cast<std::size_t>(PQntuples(result.get())));
    for (int r = 0; r < PQntuples(result.get()); ++r)
        for (int c = 0; c < PQnfields(result.get()); ++c) {
            PgRow& row = rows[static_cast<std::size_t>(r)];
            if (PQgetisnull(result.get(), r, c)) row.emplace_back(std::nullopt);
            else row.emplace_back(std::string(PQgetvalue(result.get(), r, c), static_cast<std::size_t>(PQgetlength(result.get(), r, c))));
        }
    return rows;
}

std::string PgConnection::value(const std::string& sql) {
    const std::vector<PgRow> rows = query(sql);
    if (rows.empty()) throw std::runtime_error{"no row from: " + sql};
    return rows[0].at(0).value_or("");
}

std::vector<std::string> PgConnection::copy_out(const std::string& sql) {
    const Result result{PQexec(conn_.get(), sql.c_str())};
    if (PQresultStatus(result.get()) != PGRES_COPY_OUT) throw std::runtime_error{describe(conn_.get(), result.get(), sql)};
    std::vector<std::string> lines;
    char* buffer = nullptr;
    int size = 0;
    while ((size = PQgetCopyData(conn_.get(), &buffer, 0)) > 0) {
        lines.emplace_back(buffer, static_cast<std::size_t>(size) - 1);
        PQfreemem(buffer);
    }
    if (size != -1) throw std::runtime_error{describe(conn_.get(), nullptr, sql)};
    for (Result end{PQgetResult(conn_.get())}; end != nullptr; end.reset(PQgetResult(conn_.get())))
        if (!succeeded(end.get())) throw std::runtime_error{describe(conn_.get(), end.get(), sql)};
    return lines;
}

PgCluster::PgCluster(const std::vector<std::string>& settings) : dir_{new_temp_dir("pg")}, port_{free_port()} {
    give_to_server_user(dir_);
    const Outcome copied = run_program({"cp", "-a", cluster_template().string(), data().string()});
    if (copied.exit_code != 0) throw std::runtime_error{fmt::format("cp ended with {}: {}", copied.exit_code, copied.err)};
    {
        std::ofstream conf{data() / "postgresql.conf", std::ios::app};
        conf << "\nlisten_addresses = '127.0.0.1'\nport = " << port_ << "\nunix_socket_directories = '" << dir_.string()
             << "'\nwal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\nmax_prepared_transactions = 10\n"
                "max_connections = 100\nshared_buffers = 64MB\nmax_wal_size = 512MB\n"
                "fsync = off\n";  // servers are killed here, never the machine: what they wrote is kept by its kernel
        for (const std::string& line : settings) conf << line << '\n';
    }
    start();
}

PgCluster::~PgCluster() {
    try {
        if (running()) stop(StopMode::immediate);
    } catch (const std::exception& error) {
        fmt::print(stderr, "stopping PostgreSQL: {}\n", error.what());
        kill9();
    }
    if (std::getenv("ROWFERRY_KEEP") == nullptr) {
        std::error_code ignored;
        fs::remove_all(dir_, ignored);
    }
}

PgCluster& PgCluster::shared() {
    test_root();  // made first, so that it is destroyed last
    static PgCluster cluster;
    return cluster;
}

PgCluster& PgCluster::shared_second() {
    test_root();
    static PgCluster cluster;
    return cluster;
}

void PgCluster::start() {
    if (running()) throw std::logic_error{"the server runs already"};
    postmaster_ = spawn({.arguments = {(bin_dir() / "postgres").string(), "-D", data().string()},
                         .environment = {},
                         .out = dir_ / "server.log",
                         .err = dir_ / "server.log",
                         .as_server_user = true});
    wait_ready();
}

void PgCluster::wait_ready() {
    const auto deadline = steady_clock::now() + 60s;
    while (steady_clock::now() < deadline) {
        int status = 0;
        if (::waitpid(postmaster_, &status, WNOHANG) == postmaster_) {
            postmaster_ = -1;
            throw std::runtime_error{"PostgreSQL did not start: " + log()};
        }
        if (PQping(uri("postgres").c_str()) == PQPING_OK) return;
        std::this_thread::sleep_for(20ms);
    }
    throw std::runtime_error{"PostgreSQL is not ready after 60 s: " + log()};
}

void PgCluster::signal(int number) const {
    if (!running()) throw std::logic_error{"the server does not run"};
    ::kill(postmaster_, number);
}

void PgCluster::stop(StopMode mode) {
    signal(mode == StopMode::fast ? SIGINT : SIGQUIT);
    const auto deadline = steady_clock::now() + 90s;
    int status = 0;
    while (::waitpid(postmaster_, &status, WNOHANG) != postmaster_) {
        if (steady_clock::now() > deadline) throw std::runtime_error{"PostgreSQL does not stop: " + log()};
        std::this_thread::sleep_for(10ms);
    }
    postmaster_ = -1;
}

void PgCluster::restart(StopMode mode) {
    stop(mode);
    start();
}

void PgCluster::kill9() {
    signal(SIGSTOP);  // no new children while we look
    const std::vector<pid_t> all = processes_of(postmaster_);
    for (const pid_t pid : all) ::kill(pid, SIGKILL);
    ::waitpid(postmaster_, nullptr, 0);
    for (const pid_t pid : all)
        for (int i = 0; i < 500 && ::kill(pid, 0) == 0; ++i) std::this_thread::sleep_for(10ms);
    postmaster_ = -1;
}

int PgCluster::major_version() const { return std::stoi(value("postgres", "SHOW server_version_num")) / 10000; }

void PgCluster::conf(const std::string& key, const std::string& value_text) {
    {
        std::ofstream conf{data() / "postgresql.conf", std::ios::app};
        conf << key << " = '" << value_text << "'\n";
    }
    if (!running()) return;
    const std::string before = value("postgres", "SELECT pg_conf_load_time()");
    signal(SIGHUP);
    for (int i = 0; i < 500 && value("postgres", "SELECT pg_conf_load_time()") == before; ++i) std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(100ms);  // the other processes read it a moment after the postmaster
}

void PgCluster::create_database(const std::string& name) { exec("postgres", "CREATE DATABASE \"" + name + "\""); }

std::string PgCluster::new_database(const std::string& prefix) {
    static std::atomic<int> next{0};
    std::string name = prefix + "_" + std::to_string(next++);
    create_database(name);
    return name;
}

std::string PgCluster::uri(const std::string& database, const std::string& user) const {
    return fmt::format("postgresql://{}@127.0.0.1:{}/{}", user, port_, database);
}

std::string PgCluster::socket_uri(const std::string& database, const std::string& user) const {
    return fmt::format("postgresql:///{}?host={}&port={}&user={}", database, dir_.string(), port_, user);
}

void PgCluster::exec(const std::string& database, const std::string& sql) const { PgConnection{uri(database)}.exec(sql); }

std::vector<PgRow> PgCluster::query(const std::string& database, const std::string& sql) const {
    return PgConnection{uri(database)}.query(sql);
}

std::string PgCluster::value(const std::string& database, const std::string& sql) const { return PgConnection{uri(database)}.value(sql); }

void PgCluster::drop_all_slots() const {
    PgConnection connection{uri("postgres")};
    for (const PgRow& slot : connection.query("SELECT slot_name FROM pg_replication_slots")) {
        const std::string name = slot[0].value_or("");
        for (int i = 0; i < 100; ++i) {
            connection.exec(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL AND slot_name = '" + name +
                "'");
            if (connection.try_exec("SELECT pg_drop_replication_slot('" + name + "')")) break;
            std::this_thread::sleep_for(20ms);
        }
    }
}

std::string PgCluster::log() const { return read_file(dir_ / "server.log"); }

std::string PgCluster::program(const std::string& name) {
    const fs::path path = bin_dir() / name;
    return fs::exists(path) ? path.string() : std::string{};
}

bool wait_for_value(const PgCluster& cluster, const std::string& database, const std::string& sql, std::string_view expected,
                    std::chrono::milliseconds timeout) {
    const auto deadline = steady_clock::now() + timeout;
    PgConnection connection{cluster.uri(database)};
    while (connection.value(sql) != expected) {
        if (steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(20ms);
    }
    return true;
}

}  // namespace rowferry::test
