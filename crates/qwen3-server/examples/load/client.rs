//! A client that can also misbehave: it sends bytes as they are.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One connection, kept alive.
pub struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(Self { address: address.to_owned(), stream: BufReader::new(stream) })
    }

    pub fn send(&mut self, head_and_body: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(head_and_body)
    }

    pub fn receive(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(code) = lower.strip_prefix("http/1.1 ") {
                status = code[..3].parse().map_err(io::Error::other)?;
            } else if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            } else if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }

    pub fn embed(&mut self, texts: &[&str]) -> io::Result<(u16, Vec<u8>)> {
        self.send(&request("/embed", &json!({ "inputs": texts })))?;
        self.receive()
    }

    pub fn reconnect(&mut self) -> io::Result<()> {
        *self = Self::connect(&self.address)?;
        Ok(())
    }
}

pub fn request(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: load\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head, body].concat().into_bytes()
}
