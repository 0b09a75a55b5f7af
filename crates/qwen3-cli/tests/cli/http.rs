//! As much of HTTP as a hub of the tests speaks.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// The next request of a connection.
pub fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { path, ..Request::default() };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_lowercase().as_str() {
            "range" => request.range = Some(value.trim().to_owned()),
            "authorization" => request.authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Ok(request)
}

/// A part of a file: the range that was asked for, of which so many bytes are sent at most.
pub struct Part<'a> {
    pub range: Option<&'a str>,
    pub most_bytes: usize,
}

/// A part of `content`; all of it if no range was asked for.
pub fn respond_range(
    stream: &mut TcpStream,
    headers: &str,
    content: &[u8],
    Part { range, most_bytes }: Part,
) -> std::io::Result<()> {
    let part = begin(stream, headers, content, range)?;
    stream.write_all(&part[..part.len().min(most_bytes)])
}

/// The same, slowly: so many bytes at once.
pub fn trickle(
    stream: &mut TcpStream,
    content: &[u8],
    (range, bytes): (Option<&str>, usize),
) -> std::io::Result<()> {
    for chunk in begin(stream, "", content, range)?.chunks(bytes) {
        stream.write_all(chunk)?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Sends the head of an answer, and returns the part of `content` that comes after it.
fn begin<'c>(
    stream: &mut TcpStream,
    headers: &str,
    content: &'c [u8],
    range: Option<&str>,
) -> std::io::Result<&'c [u8]> {
    let range = range.and_then(|range| range.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        head(stream, "200 OK", headers, content.len())?;
        return Ok(content);
    };
    let first: usize = first.parse().expect("a number");
    let end = last.parse().map_or(content.len(), |last: usize| content.len().min(last + 1));
    if first >= content.len() {
        let headers = format!("{headers}Content-Range: bytes */{}\r\n", content.len());
        head(stream, "416 Range Not Satisfiable", &headers, 0)?;
        return Ok(&[]);
    }
    let range = format!("Content-Range: bytes {first}-{}/{}\r\n", end - 1, content.len());
    head(stream, "206 Partial Content", &format!("{headers}{range}"), end - first)?;
    Ok(&content[first..end])
}

/// An answer in one piece.
pub fn respond(
    stream: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    head(stream, status, headers, body.len())?;
    stream.write_all(body)
}

fn head(stream: &mut TcpStream, status: &str, headers: &str, length: usize) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())
}
