//! Spans as a collector on this machine gets them.

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use qwen3_otlp::{Otlp, traced};
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::layer::SubscriberExt;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Answers gRPC on a free port, and hands on what comes: the exact bytes.
async fn collector() -> (String, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (came, comes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let came = came.clone();
            let service = tower::service_fn(move |request: axum::http::Request<_>| {
                let came = came.clone();
                async move {
                    let body = BodyExt::collect(request.into_body()).await;
                    came.send(body.unwrap_or_default().to_bytes().to_vec()).unwrap();
                    // An empty message: not compressed, of length 0.
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", "0".parse().unwrap());
                    let body = Full::new(axum::body::Bytes::from_static(&[0; 5]));
                    let body = body.with_trailers(async { Some(Ok(trailers)) });
                    let answer = Response::builder().header("content-type", "application/grpc");
                    Ok::<_, Infallible>(answer.body(body).unwrap())
                }
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
                let service = TowerToHyperService::new(service);
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    (endpoint, comes)
}

/// A route as the server has them, with a step inside.
fn server() -> Router {
    let embed = async |body: String| {
        let step = tracing::info_span!(target: "qwen3_server::inference", "tokenize", texts = 1);
        async { tracing::info!(target: "qwen3_server", "a line of the log") }
            .instrument(step)
            .await;
        let foreign = tracing::info_span!(target: "hyper", "of a library");
        foreign.in_scope(|| Json(body.len()))
    };
    let broken = async || StatusCode::SERVICE_UNAVAILABLE;
    traced(Router::new().route("/embed", post(embed)).route("/broken", post(broken)))
}

/// Sends a request to the server while spans go to `otlp`.
async fn ask(otlp: &Otlp, path: &str) {
    let request = Request::post(path)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("authorization", "Bearer a-key")
        .body(Body::from("a secret text"))
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(otlp.layer());
    server().oneshot(request).with_subscriber(subscriber).await.unwrap();
}

/// Ends it without holding up the runtime that sends.
async fn stop(otlp: Otlp, timeout: Duration) {
    tokio::task::spawn_blocking(move || otlp.stop(timeout)).await.unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the collector was sent in one call.
fn sent(bytes: &[u8]) -> ResourceSpans {
    // Before the message: whether it is compressed, and its length.
    let mut request = ExportTraceServiceRequest::decode(&bytes[5..]).unwrap();
    assert_eq!(request.resource_spans.len(), 1);
    request.resource_spans.remove(0)
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    span.attributes.iter().find(|pair| pair.key == key)?.value.clone()?.value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_becomes_a_span_of_the_clients_trace() {
    let (endpoint, mut comes) = collector().await;
    let otlp = Otlp::new(&endpoint, "a-service").unwrap();
    ask(&otlp, "/embed").await;
    ask(&otlp, "/broken").await;
    ask(&otlp, "/a-secret-path").await;
    stop(otlp, Duration::from_secs(10)).await;
    let bytes = comes.recv().await.unwrap();
    for secret in ["secret", "a-key", "of a library", "a line of the log"] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} in {}", String::from_utf8_lossy(&bytes));
    }
    let sent = sent(&bytes);
    let resource = sent.resource.unwrap().attributes;
    let service = resource.iter().find(|pair| pair.key == "service.name").unwrap();
    let service = service.value.clone().unwrap().value;
    assert_eq!(service, Some(Value::StringValue("a-service".to_owned())));

    let spans = &sent.scope_spans[0].spans;
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["tokenize", "POST /embed", "POST /broken", "POST none"]);
    for span in spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        assert!(span.events.is_empty(), "{span:?}");
    }
    let [step, request, broken, _] = &spans[..] else { panic!("{names:?}") };
    assert_eq!(hex(&request.parent_span_id), PARENT);
    assert_eq!(step.parent_span_id, request.span_id);
    assert_eq!(attribute(step, "texts"), Some(Value::IntValue(1)));
    assert_eq!(attribute(request, "http.route"), Some(Value::StringValue("/embed".to_owned())));
    assert_eq!(attribute(request, "http.response.status_code"), Some(Value::IntValue(200)));
    assert_eq!(attribute(broken, "http.response.status_code"), Some(Value::IntValue(503)));
    let is_error = |span: &Span| span.status.as_ref().is_some_and(|status| status.code == 2);
    assert_eq!((is_error(request), is_error(broken)), (false, true));
}

/// How long 200 requests and the end take, in time of the clock.
async fn time(endpoint: &str) -> (Duration, Duration) {
    let otlp = Otlp::new(endpoint, "a-service").unwrap();
    let started = Instant::now();
    for _ in 0..200 {
        ask(&otlp, "/embed").await;
    }
    let asked = started.elapsed();
    let started = Instant::now();
    stop(otlp, Duration::from_millis(300)).await;
    (asked, started.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_silent_holds_up_nobody() {
    // One that accepts connections and says nothing, and one that isn't there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let [silent_at, away_at] = [&silent, &free].map(|listener| listener.local_addr().unwrap());
    drop(free);
    for address in [silent_at, away_at] {
        let (asked, stopped) = time(&format!("http://{address}")).await;
        assert!(asked < Duration::from_secs(3) && stopped < Duration::from_secs(3), "{stopped:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_can_not_be_used_is_named() {
    for endpoint in ["not a url", "https://localhost:4317"] {
        let error = Otlp::new(endpoint, "a-service").err().unwrap();
        assert!(error.to_string().contains(endpoint), "{error}");
    }
}
