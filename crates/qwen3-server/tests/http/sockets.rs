//! The server on real sockets: TCP, Unix, and stopping while it works.

use crate::server::server;
use qwen3_server::{Address, ListenError, Listener, ServeOptions, Tls, serve};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const REQUEST: &str = "POST /embed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"inputs\": \"a\"}";

fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(REQUEST.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Serves at an address until it is told to stop.
async fn start(
    address: Address,
    tls: Option<Tls>,
) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<bool>) {
    let listener = Listener::bind(&address).await.unwrap();
    let shown = listener.address();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { drop(stopped.await) };
    let options = ServeOptions { tls, shutdown_timeout: Duration::from_millis(500) };
    (shown, stop, tokio::spawn(serve(listener, server(), options, shutdown)))
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_is_served_until_it_is_told_to_stop() {
    let (address, stop, server) = start(Address::Tcp("127.0.0.1".to_owned(), 0), None).await;
    let there = address.clone();
    let connect = move || ask(std::net::TcpStream::connect(there).unwrap());
    let answer = tokio::task::spawn_blocking(connect).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stop.send(()).unwrap();
    assert!(server.await.unwrap(), "nothing was broken off");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_more_does_not_keep_the_server() {
    let (address, stop, server) = start(Address::Tcp("127.0.0.1".to_owned(), 0), None).await;
    let mut slow = std::net::TcpStream::connect(address).unwrap();
    slow.write_all(&REQUEST.as_bytes()[..REQUEST.len() - 3]).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).unwrap();
    assert!(!server.await.unwrap(), "it was broken off");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_and_removed() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("qwen3.sock");
    // What a process that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (_, stop, server) = start(Address::Unix(path.clone()), None).await;
    let there = path.clone();
    let connect = move || ask(std::os::unix::net::UnixStream::connect(there).unwrap());
    let answer = tokio::task::spawn_blocking(connect).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stop.send(()).unwrap();
    assert!(server.await.unwrap());
    assert!(!path.exists());
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Listener::bind(&Address::Tcp("127.0.0.1".to_owned(), port)).await.err().unwrap();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
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
    let tls = Tls::from_pem(&certificate, &key).unwrap();
    let (address, stop, server) = start(Address::Tcp("127.0.0.1".to_owned(), 0), Some(tls)).await;
    // Says nothing.
    let _silent = std::net::TcpStream::connect(&address).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stop.send(()).unwrap();
    server.await.unwrap();
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
