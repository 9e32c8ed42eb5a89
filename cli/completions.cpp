// Completions for shells, made from the commands and options that the command line declares.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.h"
#include "cli/output.h"

namespace descent::cli {

namespace {

/// A text in single quotes, for bash, zsh and fish alike where it holds none itself.
std::string quoted(std::string text) {
  std::replace(text.begin(), text.end(), '\'', '"');
  return "'" + text + "'";
}

struct Option {
  std::string name;  ///< "--epochs"
  std::string help;
};

struct Command {
  std::string name, help;
  std::vector<Option> options;
};

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    Command c{sub->get_name(), sub->get_description(), {}};
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_lnames())
        c.options.push_back({"--" + name, option->get_description()});
    }
    commands.push_back(std::move(c));
  }
  return commands;
}

void print_bash(const std::vector<Command>& commands) {
  std::string names;
  for (const Command& c : commands) names += (names.empty() ? "" : " ") + c.name;
  print(
      "_descent() {{\n"
      "    local word=${{COMP_WORDS[COMP_CWORD]}}\n"
      "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
      "        mapfile -t COMPREPLY < <(compgen -W {} -- \"$word\")\n"
      "        return\n"
      "    fi\n"
      "    local options=\n"
      "    case ${{COMP_WORDS[1]}} in\n",
      quoted(names));
  for (const Command& c : commands) {
    std::string options;
    for (const Option& o : c.options) options += (options.empty() ? "" : " ") + o.name;
    print("        {}) options={} ;;\n", c.name, quoted(options));
  }
  print(
      "    esac\n"
      "    case $word in\n"
      "        -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
      "        *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
      "    esac\n"
      "}}\n"
      "complete -o filenames -F _descent descent\n");
}

void print_zsh(const std::vector<Command>& commands) {
  // A colon divides a name from its help: it has no place in the help.
  const auto help = [](std::string text) {
    std::replace(text.begin(), text.end(), ':', ',');
    return text;
  };
  print("#compdef descent\n_descent() {{\n    local -a commands options\n    commands=(\n");
  for (const Command& c : commands) print("        {}\n", quoted(c.name + ":" + help(c.help)));
  print(
      "    )\n"
      "    if (( CURRENT == 2 )); then\n"
      "        _describe command commands\n"
      "        return\n"
      "    fi\n"
      "    case $words[2] in\n");
  for (const Command& c : commands) {
    print("        {}) options=(", c.name);
    for (const Option& o : c.options) print(" {}", quoted(o.name + ":" + help(o.help)));
    print(" ) ;;\n");
  }
  print(
      "    esac\n"
      "    if [[ $PREFIX == -* ]]; then\n"
      "        _describe option options\n"
      "    else\n"
      "        _files\n"
      "    fi\n"
      "}}\n"
      "compdef _descent descent\n");
}

void print_fish(const std::vector<Command>& commands) {
  for (const Command& c : commands) {
    print("complete -c descent -n __fish_use_subcommand -f -a {} -d {}\n", c.name, quoted(c.help));
    for (const Option& o : c.options) {
      print("complete -c descent -n '__fish_seen_subcommand_from {}' -l {} -d {}\n", c.name, o.name.substr(2),
            quoted(o.help));
    }
  }
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> shells = {"bash", "zsh", "fish"};
  return shells;
}

int completions(const CompletionsArguments& a, const CLI::App& app) {
  const std::vector<Command> commands = commands_of(app);
  if (a.shell == "bash") print_bash(commands);
  if (a.shell == "zsh") print_zsh(commands);
  if (a.shell == "fish") print_fish(commands);
  return 0;
}

}  // namespace descent::cli
