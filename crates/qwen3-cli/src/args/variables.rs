//! Which environment variables count, and what is said of their values.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};
use std::ffi::OsStr;
use std::net::IpAddr;

/// Arguments that may be an empty text.
const MAY_BE_EMPTY: [&str; 7] =
    ["texts", "query", "document", "documents", "prompt", "instruction", "default_prompt"];

/// Takes the variable from an argument where it says nothing.
pub fn without_mute_variable(arg: Arg) -> Arg {
    let name = arg.get_env();
    let value = name.and_then(|name| Some((name, std::env::var_os(name)?)));
    match value.is_some_and(|(name, value)| is_mute(name, &value)) {
        true => arg.env(Resettable::Reset),
        false => arg,
    }
}

/// Files of containers leave variables empty that they don't set. And shells and
/// containers set `HOSTNAME` to the name of the machine, on whose address alone
/// nobody wants to listen.
fn is_mute(name: &OsStr, value: &OsStr) -> bool {
    value.is_empty() || (name == "HOSTNAME" && !is_address(value))
}

fn is_address(value: &OsStr) -> bool {
    let text = value.to_str().unwrap_or_default();
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.eq_ignore_ascii_case("localhost") || plain.parse::<IpAddr>().is_ok()
}

/// The same error; if a value that can't be is a variable's, it says so.
pub fn naming_the_variable(mut error: Error, command: &Command) -> Error {
    if let Some(name) = variable_of(&error, command) {
        let tip = format!(
            "the environment variable `{name}` says so; set it to another value, or unset it"
        );
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn variable_of(error: &Error, command: &Command) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (arg, wrong) = (context(ContextKind::InvalidArg)?, context(ContextKind::InvalidValue)?);
    let flag = arg.split([' ', '=', '[']).next()?.strip_prefix("--")?;
    let mut args = command.get_subcommands().flat_map(Command::get_arguments);
    let is_it = |known: &&Arg| known.get_env().is_some() && known.get_long() == Some(flag);
    let name = args.find(is_it)?.get_env()?;
    let value = std::env::var_os(name)?;
    let is_its = value.to_str()?.split(',').chain(value.to_str()).any(|part| part == wrong);
    is_its.then(|| name.to_string_lossy().into_owned())
}

/// An argument with an empty value, which is what `--model "$UNSET"` gives.
pub fn empty_argument(command: &Command, matches: &ArgMatches) -> Option<String> {
    let is_empty = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        arg.get_action().takes_values()
            && !MAY_BE_EMPTY.contains(&id)
            && matches.value_source(id) == Some(ValueSource::CommandLine)
            && matches.get_raw(id).into_iter().flatten().any(OsStr::is_empty)
    };
    command.get_arguments().find(is_empty).map(Arg::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_machine_is_no_address_to_listen_on() {
        let counts = |name: &str, value: &str| !is_mute(name.as_ref(), value.as_ref());
        for address in ["127.0.0.1", "0.0.0.0", "::", "::1", "[::1]", "localhost"] {
            assert!(counts("HOSTNAME", address), "{address}");
        }
        for name in ["", "8e5f11e67441", "no-such-host.invalid", "pod-0", "127.0.0.1:80"] {
            assert!(!counts("HOSTNAME", name), "{name}");
        }
        assert!(counts("PORT", "80") && counts("PORT", " ") && !counts("PORT", ""));
    }
}
