//! The server on real sockets: TCP, Unix, and stopping while it works.

use crate::server::server;
use qwen3_server::{Address, Listener, ServeOptions, serve};
use std::io::{Read, Write};
use std::time::Duration;
use tokio::sync::oneshot;

const REQUEST: &str = "POST /embed HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"inputs\": \"a\"}";

fn ask(mut stream: impl Read + Write) -> String {
    stream.write_all(REQUEST.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Serves at an address until it is told to stop.
async fn start(address: Address) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<bool>) {
    let listener = Listener::bind(&address).await.unwrap();
    let shown = listener.address();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { drop(stopped.await) };
    let options = ServeOptions { tls: None, shutdown_timeout: Duration::from_millis(500) };
    (shown, stop, tokio::spawn(serve(listener, server(), options, shutdown)))
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_is_served_until_it_is_told_to_stop() {
    let (address, stop, server) = start(Address::Tcp("127.0.0.1".to_owned(), 0)).await;
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
    let (address, stop, server) = start(Address::Tcp("127.0.0.1".to_owned(), 0)).await;
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
    let (_, stop, server) = start(Address::Unix(path.clone())).await;
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
