//! Hubs that lie, and what is left of their lies: one line on standard error, and
//! nothing outside of the cache.

use crate::command::{Outcome, qwen3};
use crate::fixtures::{embedding_model, folder};
use crate::http::{Request, respond};
use crate::hub_server::{COMMIT, Hub, MODEL, git_sha1, sha256};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use tempfile::TempDir;

/// What one file of a hub is answered with: status, headers, content.
type Answer = (&'static str, String, Vec<u8>);

/// A hub that lists these files, and sends them as `answer` says.
fn hub(
    files: &'static [&'static str],
    mut answer: impl FnMut(&str, &Request) -> Answer + Send + 'static,
) -> Hub {
    Hub::answer(move |request, stream| {
        let siblings: Vec<_> =
            files.iter().map(|name| serde_json::json!({"rfilename": name})).collect();
        let listing = serde_json::json!({"sha": COMMIT, "siblings": siblings}).to_string();
        match request.path.rsplit_once("/resolve/main/") {
            Some((_, file)) => {
                let (status, headers, content) = answer(file, request);
                respond(stream, status, &headers, &content)
            }
            None => respond(stream, "200 OK", "", listing.as_bytes()),
        }
    })
}

const FILES: &[&str] = &["config.json", "tokenizer.json", "model.safetensors"];
const SHARDED: &[&str] = &["config.json", "tokenizer.json", "model.safetensors.index.json"];

/// The headers of a file, as a hub should send them.
fn headers(etag: &str) -> String {
    format!("X-Repo-Commit: {COMMIT}\r\nETag: \"{etag}\"\r\n")
}

/// A file, as a hub should send it.
fn honest(content: &[u8]) -> Answer {
    ("200 OK", headers(&git_sha1(content)), content.to_owned())
}

fn download(hub: &Hub, home: &Path) -> Outcome {
    let run = qwen3(["download", "--model", MODEL]);
    run.env("HF_ENDPOINT", hub.endpoint()).env("HF_HOME", home).outcome()
}

/// Expects a failure that is told in one line with all of `words`, and files in
/// the cache alone.
#[track_caller]
fn check_refused(hub: &Hub, words: &[&str]) {
    let around = TempDir::new().unwrap();
    let home = around.path().join("home/of/the/cache");
    let outcome = download(hub, &home);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(!outcome.stderr.contains("internal error"), "{outcome:?}");
    for word in words.iter().chain(&["can't download"]) {
        assert!(outcome.stderr.contains(word), "no {word:?} in {outcome:?}");
    }
    for above in ["", "home", "home/of", "home/of/the"] {
        let names = fs::read_dir(around.path().join(above)).into_iter().flatten();
        assert!(names.count() <= 1, "{outcome:?}");
    }
    let repo = home.join("hub/models--test--tiny");
    assert!(!repo.join("refs/main").exists());
    let run = qwen3(["info", "--model", MODEL]).env("HF_HUB_OFFLINE", "1").env("HF_HOME", &home);
    run.fails(1, &["not in the cache"]);
}

#[test]
fn etags_and_commits_that_are_paths_are_refused() {
    let outside = TempDir::new().unwrap();
    let target = outside.path().join("pwned");
    let absolute = target.to_str().unwrap().to_owned();
    for bad in [&absolute, "../../../../pwned", "..", "a\\b", "C:pwned", "x", ""] {
        let (etag, linked, commit) = (bad.to_owned(), bad.to_owned(), bad.to_owned());
        check_refused(&hub(FILES, move |_, _| ("200 OK", headers(&etag), vec![1])), &["etag"]);
        let linked = move |_: &str, _: &Request| {
            let headers = format!("{}X-Linked-Etag: {linked}\r\n", headers(&git_sha1(&[1])));
            ("200 OK", headers, vec![1])
        };
        check_refused(&hub(FILES, linked), &["etag"]);
        let commits = move |_: &str, _: &Request| {
            let etag = git_sha1(&[1]);
            ("200 OK", format!("X-Repo-Commit: {commit}\r\nETag: {etag}\r\n"), vec![1])
        };
        check_refused(&hub(FILES, commits), &["X-Repo-Commit"]);
    }
    assert!(!target.exists());
}

#[test]
fn lists_of_files_that_are_none_are_refused() {
    let sized = |bytes: usize| vec![b' '; bytes];
    let of_commit = |sha: &str| format!(r#"{{"sha":"{sha}","siblings":[]}}"#).into_bytes();
    let bad = [vec![], b"null".to_vec(), b"{\"sha\":1}".to_vec(), b"[[[".to_vec(), vec![0xff; 9]];
    let commits = ["../../x", "/etc", "", "main"].map(of_commit);
    for content in bad.into_iter().chain(commits).chain([sized(9 << 20), b"[".repeat(1 << 20)]) {
        let hub = Hub::answer(move |_, stream| respond(stream, "200 OK", "", &content));
        check_refused(&hub, &["list of files"]);
    }
}

#[test]
fn answers_that_make_no_sense_are_refused() {
    let redirect = |location: &str| ("302 Found", format!("Location: {location}\r\n"));
    let statuses = ["304 Not Modified", "300 Multiple Choices", "302 Found", "204 No Content"];
    let locations =
        ["", "x", "http://", "http://[::1", "file:///etc/passwd", "/\u{1}", "//", "/a b"];
    let without = statuses.into_iter().map(|status| (status, String::new()));
    let with = locations.into_iter().map(redirect).chain([redirect("/test/tiny/resolve/main/x")]);
    for (status, headers) in without.chain(with) {
        // With the headers of a file, and without.
        for more in [String::new(), self::headers(&git_sha1(b""))] {
            let headers = format!("{headers}{more}");
            let hub = hub(FILES, move |_, _| (status, headers.clone(), vec![]));
            check_refused(&hub, &["config.json"]);
        }
    }
    for garbage in
        ["", "\r\n\r\n", "HTTP/1.1 999 x\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\n"]
    {
        check_refused(&Hub::answer(move |_, stream| stream.write_all(garbage.as_bytes())), &[]);
    }
}

#[test]
fn an_index_can_not_name_files_elsewhere() {
    let names = ["../x.safetensors", "/tmp/x.safetensors", "a/b.safetensors", "..\\x.safetensors"];
    let others = ["C:x.safetensors", "config.json", "x\u{0}.safetensors", "nul.safetensors", ""];
    for name in names.into_iter().chain(others) {
        let index = serde_json::json!({"weight_map": {"a": name}}).to_string();
        let hub = hub(SHARDED, move |_, _| honest(index.as_bytes()));
        let home = TempDir::new().unwrap();
        let outcome = download(&hub, home.path());
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("model.safetensors.index.json"), "{outcome:?}");
        // Nothing but the three files was asked for.
        assert!(
            hub.files().iter().all(|file| SHARDED.contains(&file.as_str())),
            "{:?}",
            hub.files()
        );
    }
}

#[test]
fn revisions_can_not_be_paths() {
    let home = TempDir::new().unwrap();
    for revision in ["../../x", "/tmp/x", "a\\b", "C:x", "a//b", ".", "nul"] {
        let run = qwen3(["download", "--model", MODEL, "--revision", revision]);
        run.env("HF_HOME", home.path()).fails(1, &["can't be a revision"]);
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

/// Sends `start` and then bytes for ever, in chunks or not.
fn endless(stream: &mut TcpStream, start: &str, is_chunked: bool) -> std::io::Result<()> {
    stream.write_all(start.as_bytes())?;
    let bytes = [b'a'; 4096];
    loop {
        if is_chunked {
            stream.write_all(b"1000\r\n")?;
        }
        stream.write_all(&bytes)?;
        if is_chunked {
            stream.write_all(b"\r\n")?;
        }
    }
}

#[test]
fn a_body_without_an_end_is_cut_off() {
    let etag = headers(&"a".repeat(64));
    let range = "Content-Range: bytes 0-9999/10000\r\n";
    let starts = [
        (format!("HTTP/1.1 206 x\r\n{etag}{range}Transfer-Encoding: chunked\r\n\r\n"), true),
        (format!("HTTP/1.1 206 x\r\n{etag}{range}\r\n"), false),
        (format!("HTTP/1.1 200 x\r\n{etag}Transfer-Encoding: chunked\r\n\r\n"), true),
        (format!("HTTP/1.1 200 x\r\n{etag}\r\n"), false),
    ];
    for (start, is_chunked) in starts {
        let listing = format!(r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"config.json"}}]}}"#);
        let hub = Hub::answer(move |request, stream| match request.path.contains("/resolve/") {
            true => endless(stream, &start, is_chunked),
            false => respond(stream, "200 OK", "", listing.as_bytes()),
        });
        check_refused(&hub, &["config.json"]);
    }
    let start = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_refused(&Hub::answer(|_, stream| endless(stream, start, true)), &["list of files"]);
}

#[test]
fn sizes_that_can_not_be_are_refused() {
    // More than any disk has; another than was announced; too much for a config.
    let huge = format!("{}Content-Length: 9000000000000000000\r\n", headers(&git_sha1(b"a")));
    let start = format!("HTTP/1.1 200 OK\r\n{huge}\r\n");
    let listing = format!(r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"config.json"}}]}}"#);
    let hub_of_one = Hub::answer(move |request, stream| match request.path.contains("/resolve/") {
        true => stream.write_all(start.as_bytes()),
        false => respond(stream, "200 OK", "", listing.as_bytes()),
    });
    check_refused(&hub_of_one, &["too many"]);
    let announced = |_: &str, _: &Request| {
        let headers = format!("{}X-Linked-Size: 2\r\n", headers(&git_sha1(b"abc")));
        ("200 OK", headers, b"abc".to_vec())
    };
    check_refused(&hub(FILES, announced), &["2 bytes are announced, 3 are sent"]);
}

#[test]
fn a_short_body_is_no_file() {
    let start =
        format!("HTTP/1.1 200 OK\r\n{}Content-Length: 9\r\n\r\nab", headers(&git_sha1(b"ab")));
    let listing = format!(r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"config.json"}}]}}"#);
    let hub = Hub::answer(move |request, stream| match request.path.contains("/resolve/") {
        true => stream.write_all(start.as_bytes()),
        false => respond(stream, "200 OK", "", listing.as_bytes()),
    });
    check_refused(&hub, &["config.json"]);
}

#[test]
fn weights_without_room_are_not_begun() {
    let weights = |file: &str, _: &Request| match file {
        "model.safetensors" => {
            let range = "Content-Range: bytes 0-8999999999999999999/9000000000000000000\r\n";
            ("206 Partial Content", format!("{}{range}", headers(&"a".repeat(64))), vec![])
        }
        _ => honest(b"{}"),
    };
    let home = TempDir::new().unwrap();
    let outcome = download(&hub(FILES, weights), home.path());
    assert!(outcome.code == Some(1) && outcome.stderr.contains("MiB are free"), "{outcome:?}");
}

#[test]
fn a_token_is_not_sent_to_where_files_are_stored() {
    let model = embedding_model();
    let read = move |file: &str| fs::read(model.join(file)).unwrap();
    let stored = read.clone();
    let store =
        Hub::answer(move |_, stream| respond(stream, "200 OK", "", &stored("model.safetensors")));
    // Another host by its name and port, although the same machine.
    let location = store.endpoint().replace("127.0.0.1", "localhost");
    let hub = hub(FILES, move |file, request| {
        assert_eq!(request.authorization.as_deref(), Some("Bearer hf_secret"));
        if file != "model.safetensors" {
            return honest(&read(file));
        }
        let etag = sha256(&read(file));
        let headers = format!("{}X-Linked-Etag: {etag}\r\n", headers("of-the-store"));
        ("302 Found", format!("{headers}Location: {location}/x\r\n"), vec![])
    });
    let home = TempDir::new().unwrap();
    let run = qwen3(["download", "--model", MODEL]).env("HF_ENDPOINT", hub.endpoint());
    run.env("HF_HOME", home.path()).env("HF_TOKEN", "hf_secret").succeeds();
    assert!(!store.requests().is_empty());
    assert!(store.requests().iter().all(|request| request.authorization.is_none()));
}

#[test]
fn a_token_that_is_no_header_is_told_without_being_shown() {
    let hub = hub(FILES, |_, _| honest(b"{}"));
    let home = TempDir::new().unwrap();
    let run = qwen3(["download", "--model", MODEL]).env("HF_ENDPOINT", hub.endpoint());
    let outcome =
        run.env("HF_HOME", home.path()).env("HF_TOKEN", "hf_se\ncret").fails(1, &["token"]);
    assert!(!outcome.stderr.contains("cret"), "{outcome:?}");
}

#[test]
fn an_address_that_is_none_is_told() {
    let home = TempDir::new().unwrap();
    for endpoint in ["x", "ftp://x", "http://", "http://[::1", "file:///tmp", "http://a/?b", "//x"]
    {
        let run = qwen3(["download", "--model", MODEL]).env("HF_ENDPOINT", endpoint);
        run.env("HF_HOME", home.path()).fails(1, &["HF_ENDPOINT"]);
    }
}

#[test]
fn shards_of_an_honest_hub_arrive() {
    let model = folder("tiny-embedding-variant");
    let files: &[&str] = &["config.json", "tokenizer.json", "model.safetensors.index.json"];
    let hub = hub(files, move |file, _| honest(&fs::read(model.join(file)).unwrap()));
    let home = TempDir::new().unwrap();
    let outcome = download(&hub, home.path());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
