#include "cli/command_line.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schemas/error.h"
#include "schemas/identifier.h"

namespace rowferry {
namespace {

struct CommandText {
    Command command;
    bool follower_required;
    const char* description;
    const char* footer;
};

constexpr std::array kCommands{
    CommandText{Command::run, true, "Copy LEADER to FOLLOWER if that was not done yet, then follow its changes until stopped.",
                "Example:\n"
                "  rowferry run postgresql://app@db.example/shop sqlite:/srv/shop.db --table 'public.*'\n"
                "  rowferry run sqlite:/srv/app.db postgresql://copy@db.example/app --until current\n"
                "  rowferry run sqlite:/srv/app.db postgresql://copy@db.example/app --capture logical --shadow /var/tmp\n"
                "  rowferry run sqlite:/srv/app.db sqlite:/srv/copy.db --capture triggers\n"
                "  rowferry run postgresql://reader@db.example/shop sqlite:/srv/shop.db --capture statements --statement-log '/var/log/postgresql/*.csv' \\\n"
                "    --scratch postgresql://me@localhost/scratch\n"
                "  rowferry run postgresql://app@db.example/shop sqlite:/srv/eu.db --table orders --columns 'orders=id,region,total' \\\n"
                "    --filter \"orders=region = 'EU'\" --rename-table orders=orders_eu\n"},
    CommandText{Command::clone, true, "Make one consistent copy; nothing stays behind on either side but the tables.",
                "Example:\n"
                "  rowferry clone postgresql://app@db.example/shop sqlite:/tmp/shop.db --schema public\n"},
    CommandText{Command::copy_table, true,
                "Copy one table of a stream again, or take a new one in, while the stream runs; readers see the old rows until the new ones are in place.",
                "Example:\n"
                "  rowferry copy-table postgresql://app@db.example/shop sqlite:/srv/shop.db --table public.orders\n"},
    CommandText{Command::tail, false,
                "Print a leader's committed changes as they happen. Leaves nothing on the leader, unless --stream asks for a position that is kept.",
                "Example:\n"
                "  rowferry tail postgresql://app@db.example/shop\n"
                "  rowferry tail postgresql://app@db.example/shop --table orders --op insert --format json | jq .after.total\n"
                "  rowferry tail sqlite:/srv/app.db --stream audit --format json >> audit.jsonl\n"
                "  rowferry tail sqlite:/srv/app.db --stream audit --until current --format sql\n"},
    CommandText{Command::exec, false, "Run statements on a SQLite leader and write them to its statement log in the same transaction, for --capture statements.",
                "Example:\n"
                "  rowferry exec sqlite:/srv/app.db \"INSERT INTO visits (at, token) VALUES (datetime('now'), hex(randomblob(8)))\"\n"
                "  rowferry exec sqlite:/srv/app.db -f migration.sql\n"
                "  rowferry exec sqlite:/srv/app.db \"UPDATE users SET name = :name WHERE id = :id\" --param \":name=t:O'Brien\" --param :id=i:7\n"},
    CommandText{Command::drop, false, "Remove what a stream made for itself (slot, publication, triggers, checkpoint); never a table or row.",
                "Example:\n"
                "  rowferry drop postgresql://app@db.example/shop sqlite:/srv/shop.db --stream default\n"},
    CommandText{Command::schema, false, "Print the DDL that a new follower would get, and what is not carried as comments.",
                "Example:\n"
                "  rowferry schema postgresql://app@db.example/shop --for sqlite | sqlite3 shop.db\n"},
    CommandText{Command::positions, false, "Show the leader's position and the follower's checkpoint.",
                "Example:\n"
                "  rowferry positions postgresql://app@db.example/shop sqlite:/srv/shop.db --json\n"},
};

constexpr const char* kGeneralFooter =
    "Databases: postgresql://[user@]host[:port]/dbname[?options] or sqlite:PATH.\n"
    "Exit codes: 0 done, 1 may be retried, 2 wrong usage, 3 refused before anything was written,\n"
    "6 interrupted before --until, 7 halted and needs a person.\n"
    "Example:\n"
    "  rowferry run sqlite:app.db sqlite:copy.db --until current\n";

/// Where CLI11 puts what it finds. One per setting of each command; addresses must stay.
struct Slot {
    const Setting* setting = nullptr;
    const CLI::Option* option = nullptr;
    std::string text;
    bool flag = false;
    std::vector<std::string> list;
};

/// One command with its slots.
struct Form {
    Command command;
    CLI::App* app = nullptr;
    std::vector<std::unique_ptr<Slot>> slots;

    Slot& add(const Setting& setting) {
        slots.push_back(std::make_unique<Slot>());
        slots.back()->setting = &setting;
        return *slots.back();
    }
};

void add_endpoint(Form& form, std::string_view name, bool required) {
    const Setting& setting = *find_setting(name);
    Slot& slot = form.add(setting);
    slot.option = form.app->add_option(std::string{setting.placeholder}, slot.text, std::string{setting.help} + (required ? "" : " (optional)"))
                      ->type_name("");
}

void add_setting(Form& form, const Setting& setting) {
    Slot& slot = form.add(setting);
    const std::string flag = (setting.name == "file" ? "-f,--" : "--") + std::string{setting.name};
    const std::string help{setting.help};
    switch (setting.type) {
        case Setting::Type::text: slot.option = form.app->add_option(flag, slot.text, help)->type_name(std::string{setting.placeholder}); break;
        case Setting::Type::flag:
            slot.option = form.app->add_flag(setting.negatable ? fmt::format("{},!--no-{}", flag, setting.name) : flag, slot.flag, help);
            break;
        case Setting::Type::list:
            // Without this a pattern would swallow the endpoints that follow it.
            slot.option = form.app->add_option(flag, slot.list, help)->type_name(std::string{setting.placeholder})->allow_extra_args(false);
            break;
    }
}

Form make_form(CLI::App& program, const CommandText& text) {
    Form form{text.command, program.add_subcommand(std::string{to_string(text.command)}, text.description), {}};
    form.app->footer(text.footer);
    add_endpoint(form, "leader", true);
    if (text.command == Command::exec)
        add_endpoint(form, "sql", false);
    else if (text.command != Command::schema && text.command != Command::tail)
        add_endpoint(form, "follower", text.follower_required);
    for (const Setting& setting : all_settings())
        if ((setting.commands & static_cast<unsigned>(text.command)) != 0) add_setting(form, setting);
    return form;
}

SettingLayer flags_of(const Form& form) {
    SettingLayer flags;
    for (const auto& slot : form.slots) {
        if (slot->option->count() == 0) continue;
        const Setting& setting = *slot->setting;
        SettingValue value{{}, setting.commands == 0 ? std::string{setting.placeholder} : "--" + std::string{setting.name}};
        switch (setting.type) {
            case Setting::Type::text: value.values.push_back(slot->text); break;
            case Setting::Type::flag: value.values.emplace_back(slot->flag ? "true" : "false"); break;
            case Setting::Type::list: value.values = slot->list; break;
        }
        flags.emplace(std::string{setting.name}, std::move(value));
    }
    return flags;
}

/// CLI11 quotes arguments it does not understand. One that may be a URI with a password is not repeated.
std::string without_secrets(const std::string& message) {
    return message.find("://") == std::string::npos && message.find('@') == std::string::npos && message.find("password") == std::string::npos
               ? printable(message)
               : "there are arguments that do not belong to this command";
}

}  // namespace

std::variant<CommandLine, InformationRequest> parse_command_line(int argc, const char* const* argv) {
    CLI::App program{"rowferry keeps a copy of a PostgreSQL or SQLite database exactly in step with its leader.", "rowferry"};
    program.footer(kGeneralFooter);
    program.set_version_flag("--version", "rowferry " ROWFERRY_VERSION);
    program.require_subcommand(1);
    std::vector<Form> forms;
    forms.reserve(kCommands.size());
    for (const CommandText& text : kCommands) forms.push_back(make_form(program, text));

    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            std::ostringstream out;
            std::ostringstream none;
            program.exit(error, out, none);
            return InformationRequest{out.str()};
        }
        const auto chosen = program.get_subcommands();
        if (chosen.empty())
            throw UsageError{"expected a command: run, tail, exec, clone, copy-table, schema, drop or positions; see rowferry --help"};
        throw UsageError{fmt::format("{}; see rowferry {} --help", without_secrets(error.what()), chosen.front()->get_name())};
    }
    const auto parsed = std::find_if(forms.begin(), forms.end(), [](const Form& form) { return form.app->parsed(); });
    if (parsed == forms.end()) throw UsageError{"expected a command: run, tail, exec, clone, copy-table, schema, drop or positions; see rowferry --help"};
    return CommandLine{parsed->command, flags_of(*parsed)};
}

}  // namespace rowferry
