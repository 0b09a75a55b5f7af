//! A hub that serves one checkpoint, the way the real one does: a listing, small files with a
//! git hash as their etag, and weights behind a redirect with their SHA-256. The tests of the
//! desktop program have it too.

use super::http::{Part, Request, read, respond, respond_range, trickle};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

pub const MODEL: &str = "test/tiny";
pub const DATA_SET: &str = "test/facts";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LATER_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// What is wrong with a hub.
#[derive(Clone, Copy, PartialEq)]
pub enum Flaw {
    None,
    /// The last byte of the weights arrives as another one.
    DamagesWeights,
    /// Connections break after so many bytes of the weights; the first so many.
    BreaksOff {
        after_bytes: usize,
        times: usize,
    },
    /// The first so many downloads of the weights are refused.
    IsBusy {
        times: usize,
    },
    /// The first so many lists of files are refused.
    IsBusyFirst {
        times: usize,
    },
    /// Weights arrive at a few kilobytes a second.
    IsSlow,
    /// Weights take about half a second.
    TakesItsTime,
    /// It sends files from their beginning, whatever is asked for.
    IgnoresRanges,
    /// It takes ranges for others than those asked for.
    ConfusesRanges,
    /// The last byte of config.json arrives as another one.
    DamagesConfig,
    /// The branch is at another commit by now.
    HasMoved,
    /// It wants a token.
    Gated,
}

/// A hub on a port of this machine.
pub struct Hub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    next_flaw: NextFlaw,
}

/// What a hub that runs has from the next request on.
type NextFlaw = Arc<Mutex<Option<Flaw>>>;

impl Hub {
    /// Serves a model as `test/tiny`.
    pub fn serve(model: &Path, flaw: Flaw) -> Self {
        Self::serve_named(MODEL, model, flaw)
    }

    pub fn serve_named(name: &str, model: &Path, flaw: Flaw) -> Self {
        Self::serve_as((format!("/api/models/{name}"), format!("/{name}")), model, flaw)
    }

    /// The same of a data set.
    pub fn serve_data(data: &Path, flaw: Flaw) -> Self {
        let api = format!("/api/datasets/{DATA_SET}");
        Self::serve_as((api, format!("/datasets/{DATA_SET}")), data, flaw)
    }

    fn serve_as((api, of_files): (String, String), folder: &Path, flaw: Flaw) -> Self {
        let mut files = BTreeMap::new();
        add_files(folder, "", &mut files);
        let next_flaw = NextFlaw::default();
        let mut site = Site { api, of_files, files, flaw, next_flaw: next_flaw.clone() };
        let hub = Self::answer(move |request, stream| site.answer(request, stream));
        Self { next_flaw, ..hub }
    }

    /// A hub that answers as it is told.
    pub fn answer(
        mut answer: impl FnMut(&Request, &mut TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let log = requests.clone();
        // Ends with the tests.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Ok(request) = read(&stream) else { continue };
                log.lock().expect("the test doesn't panic").push(request.clone());
                // A client that hangs up is not our failure.
                drop(answer(&request, &mut stream));
            }
        });
        Self { address, requests, next_flaw: NextFlaw::default() }
    }

    /// Has another flaw from the next request on.
    #[allow(dead_code, reason = "tests of the desktop program change it while it downloads")]
    pub fn change(&self, flaw: Flaw) {
        *self.next_flaw.lock().expect("the server doesn't panic") = Some(flaw);
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the server doesn't panic").clone()
    }

    /// Names of the files that were asked for.
    pub fn files(&self) -> Vec<String> {
        let requests = self.requests();
        let name =
            |request: &Request| Some(request.path.split_once("/resolve/main/")?.1.to_owned());
        let mut names: Vec<String> = requests.iter().filter_map(name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Where downloads of the weights began.
    pub fn starts(&self) -> Vec<usize> {
        let requests = self.requests();
        let start = |request: &Request| {
            let range = request.range.as_ref()?.strip_prefix("bytes=")?.strip_suffix('-')?;
            request.path.starts_with("/cdn/").then(|| range.parse().expect("a number"))
        };
        requests.iter().filter_map(start).collect()
    }
}

/// The etag of a file of weights.
pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// The etag of any other file.
pub fn git_sha1(content: &[u8]) -> String {
    let start = format!("blob {}\0", content.len());
    hex(&Sha1::new_with_prefix(start).chain_update(content).finalize())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("strings grow");
        hex
    })
}

fn add_files(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            add_files(&path, &format!("{below}{name}/"), files);
        } else {
            files.insert(format!("{below}{name}"), fs::read(path).expect("a file of the fixture"));
        }
    }
}

struct Site {
    /// Before `/revision`.
    api: String,
    /// Before `/resolve`.
    of_files: String,
    files: BTreeMap<String, Vec<u8>>,
    flaw: Flaw,
    next_flaw: NextFlaw,
}

impl Site {
    fn answer(&mut self, request: &Request, stream: &mut TcpStream) -> std::io::Result<()> {
        let next = self.next_flaw.lock().expect("the test doesn't panic").take();
        self.flaw = next.unwrap_or(self.flaw);
        if self.flaw == Flaw::Gated && request.authorization.is_none() {
            return respond(stream, "401 Unauthorized", "", b"Access is restricted");
        }
        let listing =
            [format!("{}/revision/main", self.api), format!("{}/revision/v1.0", self.api)];
        if listing.contains(&request.path) {
            if let Flaw::IsBusyFirst { times: times @ 1.. } = &mut self.flaw {
                *times -= 1;
                return respond(stream, "503 Service Unavailable", "", b"busy");
            }
            return respond(stream, "200 OK", "", self.listing().as_bytes());
        }
        let resolved =
            ["main", "v1.0"].map(|revision| format!("{}/resolve/{revision}/", self.of_files));
        let file = resolved.iter().find_map(|prefix| request.path.strip_prefix(prefix.as_str()));
        match (file, request.path.strip_prefix("/cdn/")) {
            (Some(file), _) if self.files.contains_key(file) => self.resolve(stream, file, request),
            (_, Some(file)) if self.files.contains_key(file) => self.deliver(stream, file, request),
            _ => respond(stream, "404 Not Found", "", b"Entry not found"),
        }
    }

    fn commit(&self) -> &'static str {
        if self.flaw == Flaw::HasMoved { LATER_COMMIT } else { COMMIT }
    }

    fn listing(&self) -> String {
        let siblings: Vec<_> =
            self.files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        serde_json::json!({"sha": self.commit(), "siblings": siblings}).to_string()
    }

    /// Small files at once, weights elsewhere.
    fn resolve(
        &self,
        stream: &mut TcpStream,
        file: &str,
        request: &Request,
    ) -> std::io::Result<()> {
        let content = &self.files[file];
        let (sha256, commit) = (sha256(content), self.commit());
        if file.ends_with(".safetensors") || file.ends_with(".gguf") {
            let headers = format!(
                "X-Repo-Commit: {commit}\r\nX-Linked-Etag: \"{sha256}\"\r\nLocation: http://{}/cdn/{file}\r\n",
                stream.local_addr()?
            );
            return respond(stream, "302 Found", &headers, b"");
        }
        let etag = git_sha1(content);
        let headers = format!("X-Repo-Commit: {commit}\r\nETag: \"{etag}\"\r\n");
        let mut content = content.clone();
        if self.flaw == Flaw::DamagesConfig && file == "config.json" {
            *content.last_mut().expect("it is not empty") ^= 1;
        }
        let range = request.range.as_deref();
        respond_range(stream, &headers, &content, Part { range, most_bytes: content.len() })
    }

    fn deliver(
        &mut self,
        stream: &mut TcpStream,
        file: &str,
        request: &Request,
    ) -> std::io::Result<()> {
        let mut content = self.files[file].clone();
        let range = request.range.as_deref();
        let is_probe = range == Some("bytes=0-0");
        let mut most_bytes = content.len();
        match &mut self.flaw {
            Flaw::DamagesWeights => *content.last_mut().expect("weights are not empty") ^= 1,
            Flaw::BreaksOff { after_bytes, times } if *times > 0 && !is_probe => {
                *times -= 1;
                most_bytes = *after_bytes;
            }
            Flaw::IsBusy { times } if *times > 0 && !is_probe => {
                *times -= 1;
                return respond(stream, "503 Service Unavailable", "", b"busy");
            }
            Flaw::IsSlow if !is_probe => return trickle(stream, &content, (range, 500)),
            Flaw::TakesItsTime if !is_probe => return trickle(stream, &content, (range, 20_000)),
            Flaw::IgnoresRanges => return respond(stream, "200 OK", "", &content),
            Flaw::ConfusesRanges if range != Some("bytes=0-") => {
                let range = format!("Content-Range: bytes 0-9/{}\r\n", content.len());
                return respond(stream, "206 Partial Content", &range, &content[..10]);
            }
            _ => {}
        }
        respond_range(stream, "ETag: \"of-the-store\"\r\n", &content, Part { range, most_bytes })
    }
}
