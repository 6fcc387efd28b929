#include "applier/sqlite/sqlite_stream_state.h"

#include <algorithm>

#include <fmt/format.h>

#include "applier/sqlite/sqlite_checkpoint_store.h"
#include "applier/sqlite/sqlite_connection.h"
#include "applier/sqlite/sqlite_follower.h"
#include "schemas/error.h"
#include "schemas/follower.h"

namespace rowferry {
namespace {

class SqliteStreamState : public StreamState {
public:
    SqliteStreamState(std::string path, const StopSignal& stop) : path_{std::move(path)}, stop_{stop}, file_{make_sqlite_follower(path_, stop)} {}
    ~SqliteStreamState() override { SqliteStreamState::rollback(); }

    [[nodiscard]] std::string describe() const override { return file_->describe(); }

    void open(const std::string& stream) override {
        file_->open(true);
        file_->lock(stream);
        stream_ = stream;
    }

    std::optional<Checkpoint> load() override {
        auto checkpoint = file_->load_checkpoint(stream_);
        if (checkpoint && !checkpoint->follower_id.starts_with(kStatePrefix))
            throw RefusedError{fmt::format("{} is a follower: its stream {} writes rows. Choose another --stream, or another --state", describe(), stream_)};
        return checkpoint;
    }

    void undo_open() noexcept override { file_->undo_open(); }
    void begin(const Checkpoint& copying) override { file_->start_copy(copying, {}, {}); }

    void ready(const Checkpoint& ready) override {
        SqliteConnection connection{path_, SqliteDatabase::Mode::read_write, stop_};
        connection.db().execute("CREATE TABLE IF NOT EXISTS main.rowferry_given (stream TEXT PRIMARY KEY, position TEXT NOT NULL)");
        // Before the checkpoint is `ready`: until then the stream begins anew.
        connection.db()
            .prepare("INSERT INTO main.rowferry_given (stream, position) VALUES (?1, ?2) ON CONFLICT (stream) DO UPDATE SET position = excluded.position")
            .bind(1, std::string_view{ready.stream})
            .bind(2, std::string_view{to_string(ready.position_kind, ready.position)})
            .run();
        file_->finish_copy(ready, {});
    }

    Position given() override {
        SqliteConnection connection{path_, SqliteDatabase::Mode::read_write, stop_};
        SqliteStatement row = connection.db().prepare("SELECT position FROM main.rowferry_given WHERE stream = ?1");
        if (!row.bind(1, std::string_view{stream_}).step()) throw HaltError{fmt::format("{}: it does not say what stream {} has printed: somebody changed it", describe(), stream_)};
        return parse_position(row.text(0)).position;
    }

    void follow(const Checkpoint& checkpoint) override {
        writer_.reset();
        update_given_ = {};
        connection_ = std::make_unique<SqliteConnection>(path_, SqliteDatabase::Mode::read_write, stop_);
        writer_ = std::make_unique<SqliteCheckpointWriter>(connection_->db(), checkpoint);
        update_given_ = connection_->db().prepare("UPDATE main.rowferry_given SET position = ?2 WHERE stream = ?1");
        given_ = given();
    }

    void change_shape(const ShapeChange& change) override {
        open_group();
        writer_->change_shape(change);
    }

    void commit(const CheckpointAdvance& advance, Position given) override {
        open_group();
        writer_->advance(advance);
        if (given > given_)
            update_given_.bind(1, std::string_view{stream_}).bind(2, std::string_view{to_string(writer_->checkpoint().position_kind, given)}).run();
        connection_->commit();
        writer_->committed();
        given_ = std::max(given_, given);
    }

    void rollback() noexcept override {
        if (connection_) connection_->db().rollback();
    }

private:
    void open_group() {
        if (!connection_->db().in_transaction()) connection_->db().execute("BEGIN IMMEDIATE");
    }

    std::string path_;
    const StopSignal& stop_;
    std::unique_ptr<Follower> file_;
    std::string stream_;
    std::unique_ptr<SqliteConnection> connection_;
    std::unique_ptr<SqliteCheckpointWriter> writer_;
    SqliteStatement update_given_;
    Position given_;
};

}  // namespace

std::unique_ptr<StreamState> make_sqlite_stream_state(std::string path, const StopSignal& stop) {
    return std::make_unique<SqliteStreamState>(std::move(path), stop);
}

}  // namespace rowferry
