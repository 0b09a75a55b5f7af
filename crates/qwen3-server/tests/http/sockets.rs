//! The server on real sockets: where it listens, TLS, and stopping while it works.

use crate::server::server;
use axum::Router;
use qwen3_server::{Address, Bound, ListenError, Listener, Metrics, ServeOptions, Tls, serve};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const REQUEST: &str = "POST /embed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"inputs\": \"a\"}";

/// Far longer than anything takes that is awaited.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a socket, until it is told to stop.
pub struct Running {
    pub address: String,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<bool>,
}

impl Running {
    pub fn new(listener: Listener, router: Router, options: ServeOptions) -> Self {
        let address = listener.address();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, options, async { drop(stopped.await) }));
        Self { address, stop, task }
    }

    pub async fn on_any_port(router: Router, options: ServeOptions) -> Self {
        Self::new(listener(&any_port()).await, router, options)
    }

    /// A client that waits for everything it reads.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Whether all requests were finished.
    pub async fn stop(self) -> bool {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

/// Waits until so many connections were given up for this reason.
pub async fn are_dropped(metrics: &Metrics, reason: &str, count: usize) {
    let line = format!("qwen3_connections_dropped{{reason=\"{reason}\"}} {count}");
    let started = Instant::now();
    loop {
        let text = metrics.text();
        let mut found = text.lines().filter(|line| line.starts_with("qwen3_connections"));
        if found.any(|found| found == line) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "no {line} in {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn any_port() -> Address {
    Address::Tcp("127.0.0.1".to_owned(), 0)
}

async fn listener(address: &Address) -> Listener {
    Bound::new(address).await.unwrap().listen().unwrap()
}

fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(REQUEST.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn is_answered(stream: impl Read + Write) {
    let answer = ask(stream);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_is_served_until_it_is_told_to_stop() {
    let server = Running::on_any_port(server(), ServeOptions::default()).await;
    is_answered(server.connect());
    let address = server.address.clone();
    assert!(server.stop().await, "nothing was broken off");
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_more_does_not_keep_the_server() {
    let shutdown_timeout = Duration::from_millis(500);
    let options = ServeOptions { shutdown_timeout, ..ServeOptions::default() };
    let server = Running::on_any_port(server(), options).await;
    let mut slow = server.connect();
    slow.write_all(&REQUEST.as_bytes()[..REQUEST.len() - 3]).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!server.stop().await, "it was broken off");
    assert_eq!(slow.read(&mut [0]).unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_ask_nothing_do_not_delay_the_end() {
    let folder = tempfile::TempDir::new().unwrap();
    let (_, certificate, key) = certificate(folder.path());
    let tls = Some(Tls::from_pem(&certificate, &key).unwrap());
    for tls in [None, tls] {
        // So that a delay is seen.
        let shutdown_timeout = Duration::from_secs(3600);
        let options = ServeOptions { tls, shutdown_timeout, ..ServeOptions::default() };
        let server = Running::on_any_port(server(), options).await;
        // Nothing; the beginnings of a head, of HTTP/2 and of a handshake.
        let beginnings = [&b""[..], b"GET /he", b"PRI * HT", b"\x16\x03\x01\x02\x00\x01"];
        let clients = beginnings.map(|bytes| {
            let mut client = server.connect();
            client.write_all(bytes).unwrap();
            client
        });
        assert!(server.stop().await);
        drop(clients);
    }
}

#[tokio::test]
async fn nobody_connects_before_it_listens() {
    let bound = Bound::new(&any_port()).await.unwrap();
    let listener = bound.listen().unwrap();
    let address = listener.address();
    drop(listener);
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let bound = Bound::new(&Address::Tcp("127.0.0.1".to_owned(), port)).await.unwrap();
    assert!(TcpStream::connect(&address).is_err());
    let listener = bound.listen().unwrap();
    assert!(TcpStream::connect(&address).is_ok());
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_mean_what_clients_mean_by_them() {
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let (v4, v6) = ("127.0.0.1", "[::1]");
    // Where it listens, what is shown, and which clients reach it.
    for (host, shown, reached) in [
        ("::", "localhost", &[v4, v6][..]),
        ("", "localhost", &[v4, v6]),
        ("0.0.0.0", "localhost", &[v4]),
        ("127.0.0.1", v4, &[v4]),
        ("::1", v6, &[v6]),
        ("[::1]", v6, &[v6]),
    ] {
        if host.contains("::1") && !has_ipv6 {
            println!("no IPv6 here: `{host}` is not tried");
            continue;
        }
        let listener = listener(&Address::Tcp(host.to_owned(), 0)).await;
        let port: u16 = listener.address().rsplit_once(':').unwrap().1.parse().unwrap();
        assert_eq!(listener.url(false), Some(format!("http://{shown}:{port}")));
        assert_eq!(listener.url(true), Some(format!("https://{shown}:{port}")));
        let server = Running::new(listener, server(), ServeOptions::default());
        for client in reached.iter().filter(|client| has_ipv6 || **client != v6) {
            is_answered(TcpStream::connect(format!("{client}:{port}")).unwrap());
        }
        server.stop().await;
    }
    // All of a name's addresses, on one port.
    let listener = listener(&Address::Tcp("localhost".to_owned(), 0)).await;
    let port = listener.address().rsplit_once(':').unwrap().1.to_owned();
    let server = Running::new(listener, server(), ServeOptions::default());
    let addresses = tokio::net::lookup_host(format!("localhost:{port}")).await.unwrap();
    for address in addresses.filter(|address| has_ipv6 || address.is_ipv4()) {
        is_answered(TcpStream::connect(address).unwrap());
    }
    server.stop().await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Bound::new(&Address::Tcp("127.0.0.1".to_owned(), port)).await.err().unwrap();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    let error = Bound::new(&Address::Tcp("no host".to_owned(), port)).await.err().unwrap();
    assert!(error.to_string().contains(&format!("no host:{port}")), "{error}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn at(path: &Path) -> Address {
        Address::Unix { path: path.to_owned(), mode: None }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_unix_socket_is_served_and_removed() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("qwen3.sock");
        // What a process that was killed leaves behind.
        drop(UnixListener::bind(&path).unwrap());
        let address = Address::Unix { path: path.clone(), mode: Some(0o620) };
        let server = Running::new(listener(&address).await, server(), ServeOptions::default());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o620);
        is_answered(UnixStream::connect(&path).unwrap());
        assert!(server.stop().await);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_server_that_is_busy_keeps_its_socket() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("busy.sock");
        // Its queue is full: who connects is sent away until it takes one.
        let address = socket2::SockAddr::unix(&path).unwrap();
        let busy = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let busy = busy.unwrap();
        busy.bind(&address).unwrap();
        busy.listen(0).unwrap();
        let mut waiting = vec![];
        for _ in 0..4 {
            let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
            let client = client.unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&address);
            waiting.push(client);
        }
        assert!(Bound::new(&at(&path)).await.is_err());
        assert!(path.exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_its_own_socket_is_removed_or_listened_on() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("qwen3.sock");
        let first = Running::new(listener(&at(&path)).await, server(), ServeOptions::default());
        std::fs::remove_file(&path).unwrap();
        let slow = Bound::new(&at(&path)).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let third = Running::new(listener(&at(&path)).await, server(), ServeOptions::default());
        assert!(first.stop().await);
        assert!(slow.listen().is_err(), "nobody would find it");
        is_answered(UnixStream::connect(&path).unwrap());
        assert!(third.stop().await);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn files_that_are_no_socket_are_kept() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "kept").unwrap();
        let error = Bound::new(&at(&path)).await.err().unwrap();
        assert!(error.to_string().contains("notes.txt"), "{error}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "kept");
    }
}

/// A certificate for `localhost` and its key, in files.
fn certificate(folder: &Path) -> (rcgen::CertifiedKey<rcgen::KeyPair>, PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (made, certificate, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_served_and_one_who_does_not_speak_it_holds_up_nobody() {
    let folder = tempfile::TempDir::new().unwrap();
    let (made, certificate, key) = certificate(folder.path());
    let options = ServeOptions {
        tls: Some(Tls::from_pem(&certificate, &key).unwrap()),
        ..ServeOptions::default()
    };
    let metrics = options.metrics.clone();
    let server = Running::on_any_port(server(), options).await;
    // One says nothing, one speaks another language.
    let _silent = server.connect();
    let mut plain = server.connect();
    plain.write_all(REQUEST.as_bytes()).unwrap();
    let _ = plain.read_to_end(&mut vec![]);
    are_dropped(&metrics, "handshake", 1).await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.stop().await;
}

#[test]
fn files_that_are_no_certificate_are_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let (_, certificate, key) = certificate(folder.path());
    let error = Tls::from_pem(&key, &key).err().unwrap();
    assert!(matches!(error, ListenError::Certificate { .. } | ListenError::Pem { .. }), "{error}");
    let error = Tls::from_pem(&certificate, Path::new("/nowhere")).err().unwrap();
    assert_eq!(error.to_string(), "`/nowhere` is not a PEM file with a private key");
}
