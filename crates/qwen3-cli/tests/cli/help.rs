//! What `--help` says. The overview is kept; after a change of its wording, look at the
//! difference and accept it: `INSTA_UPDATE=always cargo test -p qwen3-cli`. That each argument
//! has a sentence is tested beside the arguments.

use crate::command::qwen3;

const COMMANDS: [&str; 11] = [
    "embed",
    "eval",
    "similarity",
    "rerank",
    "devices",
    "info",
    "download",
    "doctor",
    "convert",
    "serve",
    "completions",
];

/// What these arguments print, without the blanks that clap leaves at line ends.
fn help(arguments: &[&str]) -> String {
    let outcome = qwen3(arguments).succeeds();
    outcome.text().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn help_gives_an_overview() {
    let name =
        if cfg!(feature = "train") { "help_with_training" } else { "help_gives_an_overview" };
    insta::assert_snapshot!(name, help(&["--help"]));
}

#[test]
fn help_fits_into_100_columns_and_gives_an_example() {
    for command in COMMANDS {
        let outcome = qwen3([command, "--help"]).env("COLUMNS", "200").succeeds();
        let example = format!("Example: qwen3 {command}");
        assert!(outcome.text().contains(&example), "{outcome:?}");
        let width = outcome.text().lines().map(|line| line.chars().count()).max();
        assert!(width <= Some(100), "{outcome:?}");
    }
}

#[test]
fn help_is_there_as_a_command_and_in_short() {
    assert_eq!(help(&["help", "embed"]), help(&["embed", "--help"]));
    assert!(help(&["embed", "-h"]).lines().count() < help(&["embed", "--help"]).lines().count());
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = concat!("qwen3 ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(qwen3(["--version"]).succeeds().text(), expected);
}
