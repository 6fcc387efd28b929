#include "applier/sqlite/sqlite_parked_rows.h"

#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {

ParkedRows::ParkedRows(SqliteTablePlan& plan, const std::string& name) : plan_{plan}, name_{name} {
    SqliteDatabase& db = plan.db();
    const SqlitePlanSql& sql = plan.sql();
    db.execute(sql.create_parked(name));
    park_new_ = db.prepare(sql.park_new(name));
    park_row_ = db.prepare(sql.park_row(name));
    find_ = db.prepare(sql.find_parked(name));
    find_same_ = db.prepare(sql.find_same_parked(name));
    unpark_ = db.prepare(sql.unpark(name));
    forget_ = db.prepare(fmt::format("DELETE FROM temp.{} WHERE rowid = ?1", quote_identifier(name)));
    all_ = db.prepare(fmt::format("SELECT rowid FROM temp.{} ORDER BY rowid LIMIT 1", quote_identifier(name)));
    for (const FollowerIndex& unique : sql.uniques()) waiting_for_.push_back(db.prepare(sql.waiting_for(name, unique)));
}

void ParkedRows::park_insert() {
    plan_.bind_after(park_new_);
    park_new_.run();
    ++count_;
}

void ParkedRows::park_update() {
    note_waiting();
    plan_.bind_before(park_row_);
    if (park_row_.run() != 1) throw HaltError{"the key matches several rows of the follower"};
    found_ = sqlite3_last_insert_rowid(plan_.db().handle());
    ++count_;
    plan_.remove();
    SqliteStatement& update = update_statement();
    update.run();
    write_waiting();
}

SqliteStatement& ParkedRows::update_statement() {
    if (!update_ || update_set_ != plan_.set_columns()) {
        update_set_ = plan_.set_columns();
        update_ = plan_.db().prepare(plan_.sql().update_parked(name_, update_set_));
    }
    plan_.bind_after(update_);
    return update_.bind(plan_.rowid_parameter(), found_);
}

std::int64_t ParkedRows::find(SqliteStatement& statement) {
    plan_.bind_before(statement);
    const std::int64_t rowid = statement.step() ? statement.integer(0) : 0;
    statement.reset();
    return rowid;
}

bool ParkedRows::row_is_parked() {
    found_ = find(find_);
    if (found_ == 0) return false;
    if (!plan_.row_exists()) return true;
    if (!plan_.full_before())
        throw HaltError{"the follower has two rows of this key: one that the leader has, and one that was already there; remove the one that is not the leader's"};
    if (plan_.same_row_exists()) return false;
    found_ = find(find_same_);
    return found_ != 0;
}

void ParkedRows::update_parked() {
    update_statement().run();
    write(found_);
}

void ParkedRows::remove_parked() {
    forget_.bind(1, found_).run();
    --count_;
}

void ParkedRows::note_waiting() {
    waiting_.clear();
    if (count_ == 0) return;
    for (SqliteStatement& statement : waiting_for_) {
        plan_.bind_before(statement);
        while (statement.step()) waiting_.push_back(statement.integer(0));
        statement.reset();
    }
}

void ParkedRows::write_waiting() {
    for (const std::int64_t rowid : waiting_) write(rowid);
    waiting_.clear();
}

bool ParkedRows::write(std::int64_t rowid) {
    unpark_.bind(plan_.rowid_parameter(), rowid);
    try {
        // Noted by two keys, the second finds it gone.
        if (unpark_.run() != 1) return false;
    } catch (const SqliteError& error) {
        if (!error.duplicate()) throw;
        return false;
    }
    forget_.bind(1, rowid).run();
    --count_;
    return true;
}

void ParkedRows::remove_all() {
    if (count_ == 0) return;
    plan_.db().execute(fmt::format("DELETE FROM temp.{}", quote_identifier(name_)));
    count_ = 0;
}

void ParkedRows::write_all() {
    while (count_ > 0) {
        if (!all_.step()) throw std::logic_error{"parked rows were counted wrongly"};
        const std::int64_t rowid = all_.integer(0);
        all_.reset();
        if (!write(rowid))
            throw HaltError{fmt::format("table {}, row {}: a row with one of its unique keys is already there", to_string(plan_.leader().name), describe(rowid))};
    }
}

std::string ParkedRows::describe(std::int64_t rowid) {
    SqliteStatement row = plan_.db().prepare(fmt::format("SELECT * FROM temp.{} WHERE rowid = ?1", quote_identifier(name_)));
    if (!row.bind(1, rowid).step()) return {};
    std::vector<Cell> image;
    for (int column = 0; column < row.column_count(); ++column) image.push_back(row.cell(column));
    return SqliteTablePlan::describe_row(plan_.leader(), image);
}

}  // namespace rowferry
