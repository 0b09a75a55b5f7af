//! Clients that wait, stall or are too many: each is given up in time, and holds up nobody.

use crate::server::{server, server_with};
use crate::sockets::{PATIENCE, Running, are_dropped};
use axum::http::{Request, StatusCode};
use h2::client;
use qwen3_server::{ServeOptions, Settings, Timeouts};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Short, for what the test waits for.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(600);

fn options(timeouts: Timeouts) -> ServeOptions {
    ServeOptions { timeouts, ..ServeOptions::default() }
}

/// Asks over a connection that is kept, and returns the status.
fn status(stream: &mut TcpStream, path: &str, body: &str) -> u16 {
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let head = head(stream);
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
    head["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Whether the server closes this connection.
fn is_closed(mut stream: TcpStream) -> bool {
    match stream.read_to_end(&mut vec![]) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

const JSON: &str = "content-type: application/json\r\n";
const BODY: &str = r#"{"inputs": "a"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_whole_head_is_given_up() {
    let options = options(Timeouts { head: SHORT, keep_alive: LONG, write: LONG });
    let metrics = options.metrics.clone();
    let server = Running::on_any_port(server(), options).await;
    // A head of HTTP/1, the preface of HTTP/2 and its first frame are begun.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let beginnings = [&b""[..], b"G", b"POST /embed HTTP/1.1\r\nhost:", b"PRI * HT", preface];
    let clients = beginnings.map(|bytes| {
        let mut client = server.connect();
        client.write_all(bytes).unwrap();
        client
    });
    // And one after an answer.
    let mut second = server.connect();
    assert_eq!(status(&mut second, "/embed", BODY), 200);
    second.write_all(b"POST /em").unwrap();
    assert!(clients.into_iter().chain([second]).all(is_closed));
    are_dropped(&metrics, "head", 6).await;
    assert_eq!(status(&mut server.connect(), "/embed", BODY), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_longer_than_a_head_may_take() {
    let options = options(Timeouts { head: SHORT, keep_alive: LONG, write: SHORT });
    let server = Running::on_any_port(server(), options).await;
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(status(&mut client, "/embed", BODY), 200);
        sleep(2 * SHORT);
    }
    // A client that is there already waits as long for the first answer as for others.
    assert_eq!(status(&mut client, "/embed", BODY), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_uses_any_more_is_closed() {
    let options = options(Timeouts { head: LONG, keep_alive: SHORT, write: LONG });
    let metrics = options.metrics.clone();
    let server = Running::on_any_port(server(), options).await;
    let mut client = server.connect();
    assert_eq!(status(&mut client, "/embed", BODY), 200);
    assert!(is_closed(client));
    are_dropped(&metrics, "idle", 1).await;
    let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let (requests, connection) = client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://x/health").body(()).unwrap();
    let mut requests = requests.ready().await.unwrap();
    let (answer, _) = requests.send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 200);
    // Told with a GOAWAY, so that no request is lost.
    assert!(tokio::time::timeout(PATIENCE, connection).await.unwrap().unwrap().is_ok());
    are_dropped(&metrics, "idle", 2).await;
    server.stop().await;
}

/// A client whose system takes no more than a few kilobytes for it.
fn with_little_memory(address: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.into()
}

/// A request whose answer is more than the systems of both sides hold.
fn large_request() -> String {
    let body = json!({"inputs": vec!["a b c d e f g h i j"; 2000]}).to_string();
    let length = body.len();
    format!("POST /embed_all HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {length}\r\n\r\n{body}")
}

/// A server for one request at a time.
async fn for_one(timeouts: Timeouts) -> (Running, qwen3_server::Metrics) {
    let options = options(timeouts);
    let metrics = options.metrics.clone();
    let settings = Settings { max_concurrent_requests: 1, ..Settings::default() };
    (Running::on_any_port(server_with(settings), options).await, metrics)
}

/// A request counts for as long as its answer is there, unless this machine was too busy to see.
fn is_full(server: &Running, sent: Instant, timeout: Duration) {
    let found = status(&mut server.connect(), "/embed", BODY);
    assert!(found == 429 || sent.elapsed() >= timeout, "{found}");
}

/// Waits until a request is let in.
fn is_free(server: &Running) {
    let started = Instant::now();
    while status(&mut server.connect(), "/embed", BODY) != 200 {
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_an_answer_is_given_up() {
    let write = 4 * SHORT;
    let (server, metrics) = for_one(Timeouts { head: LONG, keep_alive: LONG, write }).await;
    let (sent, mut client) = (Instant::now(), with_little_memory(&server.address));
    write!(client, "{}", large_request()).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    is_full(&server, sent, write);
    is_free(&server);
    are_dropped(&metrics, "write", 1).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_answer_is_not_taken_is_given_up_alone() {
    let write = 4 * SHORT;
    let (server, metrics) = for_one(Timeouts { head: LONG, keep_alive: LONG, write }).await;
    let stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
    let mut builder = client::Builder::new();
    let (requests, connection) =
        builder.initial_window_size(0).handshake::<_, axum::body::Bytes>(stream).await.unwrap();
    tokio::spawn(connection);
    let (sent, mut requests) = (Instant::now(), requests.ready().await.unwrap());
    let request = Request::post("http://x/embed").header("content-type", "application/json");
    let (answer, mut body) = requests.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(BODY.into(), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    is_full(&server, sent, write);
    let mut body = answer.into_body();
    let data = tokio::time::timeout(PATIENCE, body.data()).await.unwrap();
    assert!(data.unwrap().is_err(), "the stream is reset");
    are_dropped(&metrics, "write", 1).await;
    is_free(&server);
    // The connection goes on.
    let request = Request::get("http://x/health").body(()).unwrap();
    let (answer, _) = requests.ready().await.unwrap().send_request(request, true).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_takes_the_place_of_one_that_only_waits() {
    let timeouts = Timeouts { head: LONG, keep_alive: LONG, write: LONG };
    let options = ServeOptions { max_connections: 3, ..options(timeouts) };
    let metrics = options.metrics.clone();
    let server = Running::on_any_port(server(), options).await;
    let mut user = server.connect();
    assert_eq!(status(&mut user, "/embed", BODY), 200);
    let silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    assert_eq!(status(&mut server.connect(), "/embed", BODY), 200);
    // Who has asked something is the last to go.
    assert_eq!(status(&mut user, "/embed", BODY), 200);
    are_dropped(&metrics, "crowded", 19).await;
    for client in silent.into_iter().take(18) {
        assert!(is_closed(client));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_are_at_work_a_new_client_waits() {
    let timeouts = Timeouts { head: LONG, keep_alive: LONG, write: LONG };
    let options = ServeOptions { max_connections: 1, ..options(timeouts) };
    let server = Running::on_any_port(server(), options).await;
    // One that sends its body slowly isn't at work.
    let mut slow = server.connect();
    write!(slow, "POST /embed HTTP/1.1\r\nhost: x\r\n{JSON}expect: 100-continue\r\n").unwrap();
    write!(slow, "content-length: {}\r\n\r\n", BODY.len()).unwrap();
    assert!(head(&mut slow).starts_with("HTTP/1.1 100"));
    let mut reader = with_little_memory(&server.address);
    write!(reader, "{}", large_request()).unwrap();
    assert!(is_closed(slow));
    assert!(head(&mut reader).starts_with("HTTP/1.1 200"));
    let mut other = server.connect();
    write!(other, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    other.set_read_timeout(Some(SHORT)).unwrap();
    assert!(other.read(&mut [0]).is_err());
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    // Now the answer leaves, and the connection waits for another request.
    let reading = std::thread::spawn(move || drop(reader.read_to_end(&mut vec![])));
    assert!(head(&mut other).starts_with("HTTP/1.1 200"));
    reading.join().unwrap();
    server.stop().await;
}
