//! Clients that hold a server's resources without using them.

use crate::client::request;
use serde_json::json;
use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// How long each connection is held: longer than a server should put up with.
const HELD: Duration = Duration::from_secs(45);

/// What such a client does.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Sends nothing.
    Silent,
    /// Begins a TLS handshake.
    HalfHandshake,
    /// Begins HTTP/2.
    HalfPreface,
    /// Sends a body byte by byte.
    SlowBody,
    /// Doesn't read a large answer.
    Unread,
    /// Allows no byte of an answer, in HTTP/2.
    NoWindow,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Silent,
        Self::HalfHandshake,
        Self::HalfPreface,
        Self::SlowBody,
        Self::Unread,
        Self::NoWindow,
    ];

    /// What it is called in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::HalfHandshake => "half a handshake",
            Self::HalfPreface => "half a preface",
            Self::SlowBody => "slow body",
            Self::Unread => "answer not read",
            Self::NoWindow => "no window",
        }
    }

    /// Holds so many connections until a time, again and again; returns how many there were.
    pub fn keep(self, address: &str, connections: usize, until: Instant) -> usize {
        let mut opened = 0;
        while connections > 0 && Instant::now() < until {
            let held = until.min(Instant::now() + HELD);
            let open = || self.open(address);
            let mut streams: Vec<_> = (0..connections).filter_map(|_| open().ok()).collect();
            opened += streams.len();
            while Instant::now() < held {
                thread::sleep(Duration::from_secs(1).min(held - Instant::now()));
                if matches!(self, Self::SlowBody) {
                    // Those that are closed by now fail, as they should.
                    streams.iter_mut().for_each(|stream| drop(stream.write(b" ")));
                }
            }
        }
        opened
    }

    fn open(self, address: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        match self {
            Self::Silent => {}
            Self::HalfHandshake => stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")?,
            Self::HalfPreface => stream.write_all(b"PRI * HTTP/2.0\r\n")?,
            Self::SlowBody => stream.write_all(
                b"POST /embed HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\n\
                  content-length: 1000\r\n\r\n{",
            )?,
            Self::Unread => {
                let body = json!({ "inputs": vec!["one two three four five six seven"; 1000] });
                stream.write_all(&request("/embed_all", &body))?;
            }
            Self::NoWindow => stream.write_all(&without_window())?,
        }
        Ok(stream)
    }
}

/// A request of HTTP/2 (RFC 9113) whose client allows no byte of any answer.
fn without_window() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("a short frame");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    // POST, http, and three literals: path, authority, content-type (RFC 7541, appendix A).
    let head = b"\x83\x86\x04\x06/embed\x01\x04load\x0f\x10\x10application/json";
    let (end_headers, end_stream) = (4, 1);
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]),
        frame(1, end_headers, 1, head),
        frame(0, end_stream, 1, br#"{"inputs":"gravity"}"#),
    ]
    .concat()
}
