#pragma once

#include <memory>
#include <string>

#include "applier/postgresql/pg_copy_target.h"
#include "applier/postgresql/pg_shared_link.h"
#include "schemas/follower.h"

namespace rowferry {

/// A session of its own for parts of a copy. It shares the copy's lock with its neighbours, so that no copy begins anew beside it.
class PgCopyLane : public CopyLane {
public:
    PgCopyLane(std::unique_ptr<PgLink> link, std::string stream) : stream_{std::move(stream)} { shared_->link = std::move(link); }
    std::unique_ptr<CopyTarget> copy_into(const TablePtr& table) override { return open_pg_copy_target(shared_, table, true, stream_); }

private:
    std::shared_ptr<PgSharedLink> shared_ = std::make_shared<PgSharedLink>();
    std::string stream_;
};

}  // namespace rowferry
