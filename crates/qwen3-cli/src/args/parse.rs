//! From what was typed to [`Arguments`].

use super::variables::{empty_argument, naming_the_variable, without_mute_variable};
use super::{Arguments, Command};
use crate::serve::access;
use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, FromArgMatches};
use clap_complete::Shell;

/// The arguments of this process; ends it with 2 if they are wrong.
pub fn parse() -> Arguments {
    let mut command =
        command().mut_subcommand("serve", |serve| serve.mut_args(without_mute_variable));
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        // It tells of every variable, whatever its value.
        Err(help) if help.kind() == ErrorKind::DisplayHelp => self::command().get_matches(),
        Err(error) => naming_the_variable(error, &command).exit(),
    };
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let (name, matches) = matches.subcommand().expect("one is required");
    let subcommand = command.find_subcommand_mut(name).expect("it has been found");
    if let Some(arg) = empty_argument(subcommand, matches) {
        let message = format!("the value of '{arg}' is empty; is it of a variable that isn't set?");
        subcommand.error(ErrorKind::InvalidValue, message).exit();
    }
    if let Command::Serve(args) = &arguments.command
        && let Err(message) = access::check(&args.access)
    {
        subcommand.error(ErrorKind::ArgumentConflict, message).exit();
    }
    arguments
}

/// Values of the environment may be secret, and help texts are shown around.
fn command() -> clap::Command {
    let hidden = |arg: Arg| arg.hide_env_values(true);
    Arguments::command().mut_subcommand("serve", |serve| serve.mut_args(hidden))
}

/// The completion script.
pub fn completions(shell: Shell) -> String {
    let mut script = vec![];
    clap_complete::generate(shell, &mut command(), "qwen3", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
