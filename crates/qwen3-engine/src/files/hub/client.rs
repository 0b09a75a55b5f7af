//! Requests to a hub. Nothing that it answers is trusted: answers are bounded,
//! redirects are counted, and the token goes to the hub alone.

use super::failure::Failure;
use super::names::{Commit, Etag};
use std::io::Read;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, HeaderMap, LOCATION, RANGE};
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body};

/// The same that huggingface_hub waits for an answer about a file.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 10;
/// The hub's longest lists of files have some hundred thousand bytes.
const MAX_LISTING_BYTES: u64 = 8 << 20;

fn broken<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Permanent(message.into()))
}

/// Where a file is, and what it must turn out to be.
#[derive(Debug)]
pub struct Found {
    pub commit: Commit,
    pub etag: Etag,
    /// Where the hub tells it.
    pub bytes: Option<u64>,
    url: Uri,
}

/// A file's content from some byte on.
pub struct Delivery {
    pub start: u64,
    pub total_bytes: u64,
    pub body: Box<dyn Read>,
}

/// The way to one hub.
pub struct Client {
    agent: Agent,
    endpoint: Uri,
    /// The endpoint without a slash at its end.
    prefix: String,
    token: Option<String>,
}

impl Client {
    /// `endpoint` is the hub's address; `None`: it is none.
    pub fn new(endpoint: &str, token: Option<String>) -> Option<Self> {
        let prefix = endpoint.trim().trim_end_matches('/').to_owned();
        let endpoint = absolute(&prefix).filter(|uri| uri.query().is_none())?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // They are followed here, where it is known what each may be told.
            .max_redirects(0)
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(READ_TIMEOUT))
            .timeout_per_read(Some(READ_TIMEOUT))
            .user_agent(concat!("qwen3/", env!("CARGO_PKG_VERSION")));
        Some(Self { agent: config.build().into(), endpoint, prefix, token })
    }

    /// An answer's whole content; `path` begins with a slash.
    pub fn text(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let mut url = self.url(path)?;
        let mut response = self.send(&url, None)?;
        for _ in 0..MAX_REDIRECTS {
            let Some(location) = redirect(&url, &response)? else { break };
            url = location;
            response = self.send(&url, None)?;
        }
        expect(&response, &[StatusCode::OK])?;
        let mut content = vec![];
        let mut body = response.into_body().into_reader().take(MAX_LISTING_BYTES + 1);
        match body.read_to_end(&mut content) {
            Ok(_) if content.len() as u64 > MAX_LISTING_BYTES => {
                broken(format!("an answer longer than {MAX_LISTING_BYTES} bytes"))
            }
            Ok(_) => Ok(content),
            Err(error) => Err(Failure::Temporary(error.to_string())),
        }
    }

    /// Asks for a file without taking it. Hubs describe it in headers, mostly of
    /// a redirect to where it is stored; a redirect to another path of the hub,
    /// or without a description, leads to where to ask.
    pub fn find(&self, path: &str) -> Result<Found, Failure> {
        let mut url = self.url(path)?;
        let mut described = None;
        for _ in 0..MAX_REDIRECTS {
            let response = self.send(&url, Some("bytes=0-0"))?;
            described = match describe(response.headers()) {
                // Stores have etags of their own.
                Err(_) if described.is_some() => described,
                new => new?.or(described),
            };
            let location = redirect(&url, &response)?;
            match (location, described) {
                (Some(location), Some((commit, etag, bytes))) if !is_relative(&response) => {
                    return Ok(Found { commit, etag, bytes, url: location });
                }
                (Some(location), so_far) => (url, described) = (location, so_far),
                (None, Some((commit, etag, bytes))) => {
                    // What is there can't be asked for a range of an empty file.
                    let empty = StatusCode::RANGE_NOT_SATISFIABLE;
                    expect(&response, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT, empty])?;
                    return Ok(Found { commit, etag, bytes, url });
                }
                (None, None) => {
                    expect(&response, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT])?;
                    return broken("an answer without the headers ETag and X-Repo-Commit");
                }
            }
        }
        broken(format!("more than {MAX_REDIRECTS} redirects"))
    }

    /// The content from `start` on, or from the beginning if ranges aren't
    /// known there. `None`: there is nothing after `start`.
    pub fn deliver(&self, found: &Found, start: u64) -> Result<Option<Delivery>, Failure> {
        let mut url = found.url.clone();
        let mut response = self.send(&url, Some(&format!("bytes={start}-")))?;
        for _ in 0..MAX_REDIRECTS {
            let Some(location) = redirect(&url, &response)? else { break };
            url = location;
            response = self.send(&url, Some(&format!("bytes={start}-")))?;
        }
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(None);
        }
        expect(&response, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT])?;
        let (start, total_bytes) = match response.status() {
            StatusCode::OK => (0, response.body().content_length()),
            _ => (start, range_to_the_end(header(response.headers(), "content-range")?, start)),
        };
        let Some(total_bytes) = total_bytes else {
            return broken("an answer that is not the rest of the file, or doesn't tell its size");
        };
        match found.bytes.filter(|announced| *announced != total_bytes) {
            Some(announced) => {
                broken(format!("{announced} bytes are announced, {total_bytes} are sent"))
            }
            None => {
                let body = Box::new(response.into_body().into_reader());
                Ok(Some(Delivery { start, total_bytes, body }))
            }
        }
    }

    fn url(&self, path: &str) -> Result<Uri, Failure> {
        match absolute(&format!("{}{path}", self.prefix)) {
            Some(url) => Ok(url),
            None => broken("the hub's address and the file's name make no URL"),
        }
    }

    fn send(&self, url: &Uri, range: Option<&str>) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url.clone());
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        if let Some(token) = self.token.as_ref().filter(|_| is_same_origin(url, &self.endpoint)) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let host = url.host().unwrap_or_default();
        request.call().map_err(|error| Failure::of_request(error, host))
    }
}

/// Refuses an answer whose status is none of `wanted`.
fn expect(response: &Response<Body>, wanted: &[StatusCode]) -> Result<(), Failure> {
    let status = response.status();
    let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    match status {
        _ if wanted.contains(&status) => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            broken(format!("{status} (a gated or private model needs a token, as in HF_TOKEN)"))
        }
        _ if may_pass || status.is_server_error() => Err(Failure::Temporary(status.to_string())),
        _ => broken(status.to_string()),
    }
}

/// A header's value, if there is one.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Failure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(value) => Ok(Some(value)),
        Err(_) => broken(format!("its header {name} is no text")),
    }
}

/// Commit, etag and size, if a hub tells the first two.
fn describe(headers: &HeaderMap) -> Result<Option<(Commit, Etag, Option<u64>)>, Failure> {
    let linked = header(headers, "x-linked-etag")?;
    let etag = linked.or(header(headers, "etag")?);
    let (Some(commit), Some(etag)) = (header(headers, "x-repo-commit")?, etag) else {
        return Ok(None);
    };
    let Some(commit) = Commit::parse(commit) else {
        return broken(format!("its X-Repo-Commit is `{}`, no commit", commit.escape_debug()));
    };
    let Some(etag) = Etag::parse(etag) else {
        return broken(format!(
            "its etag is `{}`, no SHA-1 or SHA-256, so it can't be verified",
            etag.escape_debug()
        ));
    };
    let bytes = header(headers, "x-linked-size")?.and_then(|bytes| bytes.parse().ok());
    Ok(Some((commit, etag, bytes)))
}

/// Where an answer sends to.
fn redirect(from: &Uri, response: &Response<Body>) -> Result<Option<Uri>, Failure> {
    if ![301, 302, 303, 307, 308].contains(&response.status().as_u16()) {
        return Ok(None);
    }
    let location = header(response.headers(), "location")?;
    match location.and_then(|location| resolve(from, location)) {
        Some(url) => Ok(Some(url)),
        None => broken(format!("{} to nowhere", response.status())),
    }
}

/// Whether a redirect stays with its host by naming none.
fn is_relative(response: &Response<Body>) -> bool {
    let location = response.headers().get(LOCATION).map_or(&b""[..], |value| value.as_bytes());
    location.starts_with(b"/") && !location.starts_with(b"//")
}

/// What `location` means in an answer from `from`.
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    match location {
        _ if location.starts_with("//") => absolute(&format!("{scheme}:{location}")),
        _ if location.starts_with('/') => absolute(&format!("{scheme}://{authority}{location}")),
        _ => absolute(location),
    }
}

/// A URL that can be asked.
fn absolute(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_http && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

fn is_same_origin(url: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
    };
    let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
    url.scheme() == other.scheme() && host(url) == host(other) && port(url) == port(other)
}

/// The whole size, if an answer's range goes from `start` to the end.
fn range_to_the_end(content_range: Option<&str>, start: u64) -> Option<u64> {
    let (range, total) = content_range?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let [first, last, total] = [first, last, total].map(|number| number.trim().parse::<u64>().ok());
    let total = total?;
    (first? == start && last?.checked_add(1)? == total && start < total).then_some(total)
}

#[cfg(test)]
mod tests;
