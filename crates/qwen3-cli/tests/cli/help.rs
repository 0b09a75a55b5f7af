//! What `--help` says. After a change of wording, look at the difference and
//! accept it: `INSTA_UPDATE=always cargo test -p qwen3-cli`.

use crate::command::qwen3;

const COMMANDS: [&str; 7] =
    ["embed", "similarity", "rerank", "devices", "info", "download", "completions"];

#[test]
fn help_gives_an_overview() {
    insta::assert_snapshot!(qwen3(["--help"]).succeeds().text());
}

#[test]
fn every_command_has_its_help() {
    for command in COMMANDS {
        let outcome = qwen3([command, "--help"]).succeeds();
        insta::assert_snapshot!(format!("help_of_{command}"), outcome.text());
    }
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
fn help_as_a_command_and_as_an_option_are_the_same() {
    assert_eq!(
        qwen3(["help", "embed"]).succeeds().text(),
        qwen3(["embed", "--help"]).succeeds().text()
    );
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = concat!("qwen3 ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(qwen3(["--version"]).succeeds().text(), expected);
}
