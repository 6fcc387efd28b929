#include <sys/stat.h>

#include "tests/unit/sqlite_follower_fixture.h"

namespace rowferry::test {
namespace {

class Copy : public SqliteFollowerTest {
protected:
    void open() {
        follower_ = make_sqlite_follower(path_, stop_);
        follower_->open(true);
    }
    std::vector<std::string> check(std::vector<TablePtr> tables, const Checkpoint* unfinished = nullptr) {
        tables_ = std::move(tables);
        return follower_->check_tables(tables_, options_, unfinished);
    }
    std::string refusal(std::vector<TablePtr> tables) {
        return error_of(ErrorKind::refused, [&] { check(std::move(tables)); });
    }
};

TEST_F(Copy, ANewFileIsInWalModeAndACopyMakesItReady) {
    const TablePtr users = pg_users();
    follow({users}, {insert(users, {"1", "ann"}), insert(users, {"2", null})});
    EXPECT_EQ(value("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(rows("users"), "1|ann\n2|NULL");
    const auto checkpoint = follower_->load_checkpoint("default");
    ASSERT_TRUE(checkpoint.has_value());
    EXPECT_EQ(checkpoint->state, CheckpointState::ready);
    EXPECT_EQ(checkpoint->position, (Position{90, 0}));
    EXPECT_EQ(to_string(checkpoint->leader), "postgresql:77:1:shop");
    ASSERT_EQ(checkpoint->tables.size(), 1U);
    EXPECT_EQ(checkpoint->tables[0].shape, *users);
}

TEST_F(Copy, AnExistingFileKeepsItsJournalMode) {
    exec("CREATE TABLE mine (x)");
    const TablePtr users = pg_users();
    follow({users});
    EXPECT_EQ(value("PRAGMA journal_mode"), "delete");
    feed(begin(90), insert(users, {"1", "ann"}), commit(100));
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Copy, AMissingFileIsOnlyMadeWhenAskedFor) {
    follower_ = make_sqlite_follower(path_, stop_);
    error_of(ErrorKind::refused, [&] { follower_->open(false); });
    struct stat info {};
    EXPECT_NE(::stat(path_.c_str(), &info), 0);
    follower_->open(true);
    EXPECT_TRUE(follower_->load_checkpoints().empty());
    EXPECT_EQ(value("SELECT count(*) FROM sqlite_master"), "0");
}

TEST_F(Copy, ARestartedCopyEmptiesItsTablesAndDropsNone) {
    const TablePtr users = pg_users();
    exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, extra TEXT DEFAULT 'mine')");
    open();
    check({users});
    follower_->start_copy(checkpoint_at(90, CheckpointState::copying), tables_, options_);
    copy(users, {insert(users, {"1", "ann"}), insert(users, {"2", "bob"})});
    EXPECT_EQ(value("SELECT state FROM rowferry_checkpoint"), "copying");
    open();
    const auto unfinished = follower_->load_checkpoint("default");
    ASSERT_TRUE(unfinished.has_value());
    refusal({users});
    check({users}, &*unfinished);
    Checkpoint again = checkpoint_at(95, CheckpointState::copying);
    Checkpoint early = again;
    early.tables.clear();
    follower_->start_copy(early, {}, options_);  // before the leader is touched; may be as far as it gets
    ASSERT_EQ(follower_->load_checkpoint("default")->tables.size(), 1U);
    follower_->start_copy(again, tables_, options_);
    EXPECT_EQ(rows("users"), "");
    copy(users, {insert(users, {"1", "amy"})});
    again.state = CheckpointState::ready;
    follower_->finish_copy(again, tables_);
    EXPECT_EQ(rows("users"), "1|amy|mine");
    EXPECT_EQ(value("SELECT state FROM rowferry_checkpoint"), "ready");
    error_of(ErrorKind::refused, [&] { follower_->start_copy(again, tables_, options_); });
}

TEST_F(Copy, FinishingACopyThatAnotherTookOverIsAStop) {
    const TablePtr users = pg_users();
    open();
    check({users});
    follower_->start_copy(checkpoint_at(90, CheckpointState::copying), tables_, options_);
    exec("UPDATE rowferry_checkpoint SET follower_id = 'other'");
    error_of(ErrorKind::halted, [&] { follower_->finish_copy(checkpoint_at(90, CheckpointState::ready), tables_); });
    EXPECT_EQ(value("SELECT state FROM rowferry_checkpoint"), "copying");
}

TEST_F(Copy, ExistingRowsAreRefusedUnlessTheyMayGo) {
    const TablePtr users = pg_users();
    exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (5, 'old')");
    open();
    EXPECT_HAS(refusal({users}), "--on-existing truncate");
    EXPECT_EQ(rows("users"), "5|old");
    options_.on_existing = OnExisting::truncate;
    follow({users}, {insert(users, {"1", "ann"})});
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Copy, UserTriggersAreRefusedUnlessTheyMayFire) {
    const TablePtr users = pg_users();
    exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE seen (id);"
         "CREATE TRIGGER note AFTER INSERT ON users BEGIN INSERT INTO seen VALUES (new.id); END");
    open();
    EXPECT_HAS(refusal({users}), "note");
    options_.fire_triggers = true;
    follow({users}, {insert(users, {"1", "ann"})});
    EXPECT_EQ(value("SELECT count(*) FROM seen"), "1");
}

TEST_F(Copy, TablesThatDoNotFitAreRefused) {
    exec("CREATE TABLE users (id INTEGER PRIMARY KEY)");
    open();
    EXPECT_HAS(refusal({pg_users()}), "name");
    exec("DROP TABLE users; CREATE VIEW users AS SELECT 1 AS id, 2 AS name");
    EXPECT_HAS(refusal({pg_users()}), "view");
    exec("DROP VIEW users; CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, must TEXT NOT NULL)");
    EXPECT_HAS(refusal({pg_users()}), "must");
    exec("DROP TABLE users; CREATE TABLE users (id INTEGER PRIMARY KEY, name NUMERIC)");
    EXPECT_HAS(refusal({pg_users()}), "name");
    EXPECT_HAS(refusal({sqlite_users()}), "affinity");
    EXPECT_EQ(value("SELECT count(*) FROM sqlite_master"), "1");
}

TEST_F(Copy, NamesThatSqliteTakesForOneAreRefused) {
    open();
    TableSchema upper = *pg_users();
    upper.name.name = "Users";
    EXPECT_HAS(refusal({pg_users(), share(upper)}), "public.Users");
    TableSchema other = *pg_users();
    other.name = {"public", "shop__users"};
    TableSchema shop = *pg_users();
    shop.name.schema = "shop";
    EXPECT_HAS(refusal({share(other), share(shop)}), "shop__users");
    EXPECT_HAS(refusal({share(table_of(Engine::postgresql, "t", {{"A", "text"}, {"a", "text"}}, {}))}), "columns A and a");
    EXPECT_HAS(refusal({share(table_of(Engine::postgresql, "rowferry_x", {{"a", "text"}}, {}))}), "rowferry_");
}

TEST_F(Copy, ATableOfAnotherStreamIsRefused) {
    const TablePtr users = pg_users();
    follow({users});
    options_.on_existing = OnExisting::truncate;
    EXPECT_HAS(refusal({users}), "stream default");
}

TEST_F(Copy, ColumnOrderAndExtraColumnsOfAnExistingTableAreFine) {
    const TablePtr users = pg_users();
    exec("CREATE TABLE Users (note TEXT DEFAULT 'n', NAME TEXT, ID INTEGER PRIMARY KEY)");
    follow({users}, {insert(users, {"1", "ann"})});
    feed(begin(90), update(users, {"1", "amy"}), insert(users, {"2", "bob"}), commit(100));
    EXPECT_EQ(rows("users", "id, name, note"), "1|amy|n\n2|bob|n");
}

TEST_F(Copy, IndexesComeAfterTheCopyAndGetNamesOfTheirOwn) {
    TableSchema first = *pg_users();
    first.indexes.push_back({"by_name", true, true, {1}, {false}, {}});
    first.unique_keys.push_back({"by_name", {1}});
    TableSchema second = first;
    second.name.name = "others";
    follow({share(first), share(second)});
    EXPECT_EQ(value("SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1)"),
              "by_name,others_by_name");
}

TEST_F(Copy, CopiedRowsThatBreakAUniqueKeyAreAStop) {
    TableSchema schema = *pg_users();
    schema.unique_keys.push_back({"by_name", {1}});
    const TablePtr users = share(schema);
    const std::string text = error_of(ErrorKind::halted, [&] { follow({users}, {insert(users, {"1", "x"}), insert(users, {"2", "x"})}); });
    EXPECT_HAS(text, "by_name");
    EXPECT_EQ(value("SELECT state FROM rowferry_checkpoint"), "copying");
}

TEST_F(Copy, ACopiedValueThatDoesNotFitNamesRowAndColumn) {
    const TablePtr users = share(table_of(Engine::postgresql, "t", {{"id", "integer", ValueClass::integer, true}, {"n", "integer", ValueClass::integer}}, {0}));
    const std::string text = error_of(ErrorKind::halted, [&] { follow({users}, {insert(users, {"3", "x"})}); });
    EXPECT_HAS(text, "public.t");
    EXPECT_HAS(text, "id='3'");
    EXPECT_HAS(text, "column n");
}

TEST_F(Copy, ManyRowsTakeSeveralTransactions) {
    const TablePtr users = pg_users();
    std::vector<Step> copied;
    for (int i = 0; i < 60'000; ++i) copied.push_back(insert(users, {std::to_string(i), "row"}));
    open();
    check({users});
    follower_->start_copy(checkpoint_at(90, CheckpointState::copying), tables_, options_);
    Batch batch;
    for (const Step& step : copied) add_step(batch, step);
    auto target = follower_->copy_into(users);
    target->write(batch.events());
    EXPECT_EQ(value("SELECT count(*) FROM users"), "50000");
    target->finish();
    EXPECT_EQ(value("SELECT count(*) FROM users"), "60000");
}

TEST_F(Copy, ACloneIsOneTransactionAndLeavesOnlyTheTables) {
    const TablePtr users = sqlite_users();
    open();
    check({users});
    follower_->start_clone(tables_, options_);
    copy(users, {insert(users, {1, "ann"})});
    EXPECT_EQ(value("SELECT count(*) FROM sqlite_master"), "0");
    follower_->finish_clone(tables_);
    EXPECT_EQ(rows("users"), "1|ann");
    EXPECT_EQ(value("SELECT group_concat(name) FROM sqlite_master"), "users");
}

TEST_F(Copy, AutoincrementContinuesWhereTheLeaderIs) {
    TableSchema schema = *sqlite_users();
    schema.columns[0].autoincrement = true;
    const TablePtr users = share(schema);
    const TablePtr plain = pg_users();
    open();
    check({users});
    follower_->start_copy(checkpoint_at(90, CheckpointState::copying), tables_, options_);
    follower_->set_next_number(users, 0, 501);
    follower_->finish_copy(checkpoint_at(90, CheckpointState::ready), tables_);
    exec("INSERT INTO users (name) VALUES ('next')");
    EXPECT_EQ(rows("users"), "501|next");
}

TEST_F(Copy, ANewerLayoutIsNotTouched) {
    follow({pg_users()});
    exec("UPDATE rowferry_checkpoint SET layout = 99");
    EXPECT_HAS(error_of(ErrorKind::halted, [&] { (void)follower_->load_checkpoints(); }), "layout 99");
}

TEST_F(Copy, DropRemovesWhatIsOursAndNothingElseAndMayBeRepeated) {
    const TablePtr users = pg_users();
    follow({users}, {insert(users, {"1", "ann"})});
    sink_.reset();
    EXPECT_EQ(follower_->drop("default", true).size(), 2U);
    EXPECT_EQ(value("SELECT count(*) FROM rowferry_checkpoint"), "1");
    EXPECT_EQ(follower_->drop("default", false).size(), 2U);
    EXPECT_TRUE(follower_->drop("default", false).empty());
    EXPECT_TRUE(follower_->drop(std::nullopt, false).empty());
    EXPECT_EQ(value("SELECT group_concat(name) FROM sqlite_master"), "users");
    EXPECT_EQ(rows("users"), "1|ann");
}

TEST_F(Copy, TheTablesGoWithTheLastStream) {
    follow({pg_users()});
    exec("INSERT INTO rowferry_checkpoint SELECT 'other', follower_id, leader, capture, state, position, resume, commit_time, acked, term, selection, layout "
         "FROM rowferry_checkpoint");
    sink_.reset();
    EXPECT_EQ(follower_->drop("default", false).size(), 1U);
    EXPECT_EQ(value("SELECT group_concat(stream) FROM rowferry_checkpoint"), "other");
    EXPECT_EQ(follower_->drop(std::nullopt, false).size(), 2U);
    EXPECT_EQ(value("SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowferry%'"), "0");
}

}  // namespace
}  // namespace rowferry::test
