//! Who may ask `qwen3 serve`: what was meant to restrict it does so, or it doesn't
//! start. And what its variables may say.

use crate::command::{Qwen3, on_cpu, qwen3};
use crate::fixtures::embedding_model;
use crate::serve::{ON_ANY_PORT, Server};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The variables of text-embeddings-inference, and those that secure a server.
const PLAIN_VARIABLES: [&str; 33] = [
    "API_KEY",
    "API_KEY_FILE",
    "AUTO_TRUNCATE",
    "CORS_ALLOW_ORIGIN",
    "DEFAULT_PROMPT",
    "DEFAULT_PROMPT_NAME",
    "DENSE_PATH",
    "DISABLE_SPANS",
    "DTYPE",
    "HF_API_TOKEN",
    "HF_TOKEN",
    "HOSTNAME",
    "HUGGINGFACE_HUB_CACHE",
    "JSON_OUTPUT",
    "LOG_LEVEL",
    "MAX_BATCH_REQUESTS",
    "MAX_BATCH_TOKENS",
    "MAX_CLIENT_BATCH_SIZE",
    "MAX_CONCURRENT_REQUESTS",
    "MODEL_ID",
    "OTLP_ENDPOINT",
    "OTLP_SERVICE_NAME",
    "PAYLOAD_LIMIT",
    "POOLING",
    "PORT",
    "PROMETHEUS_PORT",
    "PROTECT_MONITORING",
    "REVISION",
    "SERVED_MODEL_NAME",
    "TLS_CERT",
    "TLS_KEY",
    "TOKENIZATION_WORKERS",
    "UDS_PATH",
];

fn serve() -> Qwen3 {
    on_cpu("serve", &embedding_model(), ON_ANY_PORT)
}

fn status(server: &Server, key: &str) -> String {
    let answer = server.ask("/info", &format!("authorization: Bearer {key}\r\n"), "");
    answer.split(' ').nth(1).unwrap().to_owned()
}

/// A file with these bytes, which is gone with its folder.
fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn keys_come_from_flag_environment_and_file() {
    let keys = file("\u{feff}# ours\r\nfrom-file\r\n\r\n".as_bytes());
    let run = serve().args(["--api-key", "first, second ", "--api-key-file"]).arg(keys.path());
    let server = Server::of(run.start());
    for (key, expected) in
        [("first", "200"), ("second", "200"), ("from-file", "200"), ("other", "401"), ("", "401")]
    {
        assert_eq!(status(&server, key), expected, "{key}");
    }
    let (_, log) = server.stop("-TERM");
    assert!(!log.contains("second") && !log.contains("from-file"), "{log}");
    let server = Server::of(serve().env("API_KEY", " of-variable ").start());
    assert_eq!(
        (status(&server, "of-variable"), status(&server, "x")),
        ("200".into(), "401".into())
    );
    server.stop("-TERM");
    // As compose files leave it: empty, beside a file.
    let run = serve().env("API_KEY", "").env("API_KEY_FILE", keys.path());
    let server = Server::of(run.start());
    assert_eq!((status(&server, "from-file"), status(&server, "")), ("200".into(), "401".into()));
    server.stop("-TERM");
}

#[test]
fn what_is_no_key_is_refused_and_not_shown() {
    for value in ["", " ", ",", "secret,", ",secret", "secret,,b", "top\tsecret", "sécret"] {
        let outcome = qwen3(["serve", "--api-key", value]).fails(2, &["--api-key", "API_KEY"]);
        assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
        if !value.is_empty() {
            let outcome = qwen3(["serve"]).env("API_KEY", value).fails(2, &["API_KEY"]);
            assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
        }
    }
    qwen3(["serve", "--protect-monitoring"]).fails(2, &["--protect-monitoring", "--api-key-file"]);
}

#[test]
fn a_file_that_gives_no_keys_is_refused() {
    let fails = |path: &Path, words: &[&str]| {
        let words = [&["can't read keys from"], words].concat();
        serve().env("API_KEY", "").args(["--api-key-file"]).arg(path).fails(1, &words);
        serve().args(["--api-key", "one", "--api-key-file"]).arg(path).fails(1, &words);
    };
    for empty in [&b""[..], b"\n \n", b"# only this\r\n", b"\xef\xbb\xbf"] {
        fails(file(empty).path(), &["no key in it", "one key a line"]);
    }
    fails(file(b"\xff\xfek\0e\0y\0").path(), &["UTF-8"]);
    fails(file(b"k\0e\0y\0").path(), &["U+0000"]);
    fails(Path::new("/nonexistent/keys"), &["No such file"]);
    fails(&std::env::temp_dir(), &["directory"]);
    fails(Path::new("/dev/zero"), &["more than"]);
    qwen3(["serve", "--api-key-file", ""]).fails(2, &["--api-key-file"]);
}

#[test]
fn origins_that_browsers_do_not_send_are_refused() {
    for (origin, right) in [
        ("https://bücher.example", "`https://xn--bcher-kva.example`"),
        ("https://a.example/", "`https://a.example`"),
        ("https://A.example:443", "`https://a.example`"),
        ("null", "`null`"),
        ("", "``"),
        ("https://a.example,", "``"),
        ("*,https://a.example", "`*`"),
    ] {
        let words = ["--cors-allow-origin", right];
        qwen3(["serve", "--cors-allow-origin", origin]).fails(2, &words);
        if !origin.is_empty() {
            qwen3(["serve"]).env("CORS_ALLOW_ORIGIN", origin).fails(2, &words);
        }
    }
}

#[test]
fn a_default_prompt_that_the_model_lacks_is_told_at_the_start() {
    let run = serve().args(["--default-prompt-name", "passage"]).outcome();
    assert_eq!(run.code, Some(1), "{run:?}");
    for word in ["--default-prompt-name", "`passage`", "`query`"] {
        assert!(run.stderr.contains(word), "{run:?}");
    }
}

/// Every variable that the help of `serve` tells of.
fn variables() -> BTreeSet<String> {
    let run = qwen3(["serve", "--help"]).env("HOSTNAME", "of-a-machine").env("PORT", "");
    let help = run.succeeds();
    assert!(help.text().contains("[env: HOSTNAME]") && help.text().contains("[env: PORT]"));
    let names = help.text().split("[env: ").skip(1);
    names.map(|rest| rest.split([']', '=']).next().unwrap().to_owned()).collect()
}

#[test]
fn variables_of_our_own_have_our_name() {
    let plain = |name: &&String| !name.starts_with("QWEN3_");
    let names = variables();
    let unknown: Vec<_> = names
        .iter()
        .filter(plain)
        .filter(|name| !PLAIN_VARIABLES.contains(&name.as_str()))
        .collect();
    assert!(names.len() > 30 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn an_empty_variable_is_as_if_it_were_not_set() {
    let run = variables().iter().fold(serve(), |run, name| run.env(name, ""));
    let mut log = vec![];
    let mut child = run.env("QWEN3_CPU_ISA", "").start();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        log.push(line.unwrap());
        if log.last().unwrap().contains("\"listening\"") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let log = log.join("\n");
    assert!(log.contains("\"listening\""), "{log}");
    for name in ["API_KEY", "API_KEY_FILE", "CORS_ALLOW_ORIGIN"] {
        assert!(log.contains(&format!("\"variable\":\"{name}\"")), "{name} in {log}");
    }
}

#[test]
fn an_empty_argument_is_told() {
    for name in ["--model", "--reranker", "--revision", "--hostname", "--otlp-endpoint"] {
        qwen3(["serve", name, ""]).fails(2, &[name, "is empty"]);
    }
    qwen3(["embed", "--revision", "", "x"]).fails(2, &["--revision", "is empty"]);
}

#[test]
fn a_wrong_value_of_a_variable_names_the_variable() {
    for (name, value) in
        [("PORT", "tcp://10.0.0.1:80"), ("LOG_LEVEL", "verbose"), ("QWEN3_DEVICE", "cpu,gpu")]
    {
        qwen3(["serve"]).env(name, value).fails(2, &["environment variable", &format!("`{name}`")]);
    }
    qwen3(["serve", "--port", "x"]).fails(2, &["'x'", "--port"]);
    qwen3(["serve", "--log-level", "inf"]).fails(2, &["'inf'", "--log-level", "`info`"]);
}

#[test]
fn variables_of_others_are_not_ours() {
    let run = qwen3(["serve", "--port", "0", "--json-output", "--model"]).arg(embedding_model());
    let others = [("HOSTNAME", "no-such-host.invalid"), ("DEVICE", "gpu"), ("THREADS", "0")];
    let run = others.into_iter().fold(run, |run, (name, value)| run.env(name, value));
    let mut server = Server::of(run.env("QWEN3_DEVICE", "cpu").env("MAX_TOKENS", "1").start());
    let port = server.address.rsplit(':').next().unwrap();
    server.address = format!("127.0.0.1:{port}");
    assert_eq!(status(&server, "any"), "200");
    server.stop("-TERM");
    let run = on_cpu("serve", &embedding_model(), ["--port", "0", "--json-output"]);
    let server = Server::of(run.env("HOSTNAME", "127.0.0.1").start());
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
    server.stop("-TERM");
}
