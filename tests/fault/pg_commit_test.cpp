// Commits that may not take effect on a PostgreSQL follower: the COMMIT is sent behind the changes of its transaction, before the server has answered for any of them, and
// what it then says of a change has to keep it away.

#include <gtest/gtest.h>

#include "tests/fault/pg_follower_fixture.h"

namespace rowferry {
namespace {

using test::absent;
using test::Events;

/// The follower holds (1, 'ann') at position 100.
class PgCommitTest : public PgFollowerTest {
protected:
    PgCommitTest() { copy(*follower_, {users_}, Events{}.insert(users_, {"1", "ann"})); }

    static void apply_and_commit(Sink& target, const Events& events) {
        CheckpointAdvance to;
        to.position = {110, 0};
        target.apply_and_commit(events.get(), to);
    }

    std::unique_ptr<Follower> follower_ = connect();
};

// A row that is missing is no error to the server.
TEST_F(PgCommitTest, AMissingRowKeepsTheCommitBehindItAway) {
    for (const bool removes : {false, true}) {
        const auto target = sink(*follower_);
        Events events;
        events.begin(100).update(users_, {"1", "bob"});
        removes ? events.remove(users_, {"2", absent()}) : events.update(users_, {"2", "y"});
        events.commit(110);
        EXPECT_HALT(apply_and_commit(*target, events), "key id=2, position lsn:0/6E: the row is missing");
        target->rollback();
        EXPECT_EQ(rows("users"), "1|ann");
        EXPECT_EQ(position(), "lsn:0/64 lsn:0/64");
    }
}

// The server counts by itself there, and has to tell more than one from none.
TEST_F(PgCommitTest, TwoRowsOfOneKeyKeepTheCommitBehindThemAway) {
    exec("ALTER TABLE users DROP CONSTRAINT users_pkey; INSERT INTO users VALUES (1, 'another')");
    const auto target = sink(*follower_);
    EXPECT_HALT(apply_and_commit(*target, Events{}.begin(100).update(users_, {"1", "bob"}).commit(110)), "key id=1, position lsn:0/6E: 2 rows instead of one");
    target->rollback();
    EXPECT_EQ(position(), "lsn:0/64 lsn:0/64");
}

// It was told as a stop, with the row gone and its position committed; by COPY not even that.
TEST_F(PgCommitTest, ARowThatATriggerMadeSinceSwallowsIsAStop) {
    for (const int rows_in_one : {1, 300}) {
        const auto target = sink(*follower_);
        exec("CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END'");
        exec("CREATE OR REPLACE TRIGGER swallow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION swallow()");
        exec("ALTER TABLE users ENABLE ALWAYS TRIGGER swallow");
        Events events;
        events.begin(100);
        for (int i = 0; i < rows_in_one; ++i) events.insert(users_, {std::to_string(7 + i), "x"});
        events.commit(110);
        EXPECT_HALT(apply_and_commit(*target, events), "users");
        target->rollback();
        EXPECT_EQ(rows("users"), "1|ann");
        EXPECT_EQ(position(), "lsn:0/64 lsn:0/64");
        exec("DROP TRIGGER swallow ON users");
    }
}

TEST_F(PgCommitTest, ACheckpointThatIsGoneIsAStop) {
    const auto target = sink(*follower_);
    exec("DELETE FROM rowferry.checkpoint");
    EXPECT_HALT(apply_and_commit(*target, Events{}.begin(100).update(users_, {"1", "bob"}).commit(110)), "the follower has no checkpoint of it any more");
}

// The failure was taken for the group's, whose savepoint lies behind it.
TEST_F(PgCommitTest, AMissingRowInFrontOfAGroupIsAStop) {
    const auto target = sink(*follower_);
    Events events;
    events.begin(100).update(users_, {"2", "y"}).truncate({users_});
    for (int i = 10; i < 60; ++i) events.insert(users_, {std::to_string(i), "x"}).update(users_, {std::to_string(i), "z"});
    events.commit(110);
    EXPECT_HALT(target->apply(events.get()), "key id=2, position lsn:0/6E: the row is missing");
}

}  // namespace
}  // namespace rowferry
