//! The server: it is asked, and stops at Ctrl-C.

use super::program::{Program, code_of};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command};

/// How the server says where it is.
const LISTENS: &str = r#"url="http://127.0.0.1:"#;
const QUESTION: &str = r#"{"inputs": "What is the capital of China?"}"#;
/// A process that was stopped and has finished what it did.
const STOPPED: &str = "stopped";

/// Starts it, asks for a vector, and interrupts it.
pub fn asked_and_stopped(program: &Program) -> Result<(), String> {
    let serve = ["serve", "--model", "mini", "--hostname", "127.0.0.1", "--port", "0"];
    let mut child = program.start(&serve)?;
    let result = ask_and_stop(&mut child);
    // One that has ended can't be killed.
    let _ = child.kill();
    let _ = child.wait();
    result
}

fn ask_and_stop(child: &mut Child) -> Result<(), String> {
    let mut log = BufReader::new(child.stderr.take().expect("it is a pipe"));
    let port = port(&mut log)?;
    let answer = answer(port).map_err(|error| format!("port {port}: {error}"))?;
    if !answer.starts_with("HTTP/1.1 200") || !answer.contains("[[") {
        return Err(format!("the server answered {answer:?}"));
    }
    let interrupt = format!("kill -INT {}", child.id());
    let sent = Command::new("sh").args(["-c", &interrupt]).status();
    sent.map_err(|error| format!("{interrupt}: {error}"))?;
    let code = code_of(child)?;
    let mut said = String::new();
    log.read_to_string(&mut said).map_err(|error| error.to_string())?;
    match code == Some(0) && said.contains(STOPPED) {
        true => Ok(()),
        false => Err(format!("the server ended with {code:?}: {said:?}")),
    }
}

/// Reads the log up to the line that names the port.
fn port(log: &mut BufReader<ChildStderr>) -> Result<u16, String> {
    let mut said = vec![];
    for line in log.lines().map_while(Result::ok) {
        if let Some((_, rest)) = line.split_once(LISTENS) {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
            return digits.parse().map_err(|_| format!("no port is in {line:?}"));
        }
        said.push(line);
    }
    Err(format!("the server ended before it listened: {said:?}"))
}

fn answer(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let length = QUESTION.len();
    write!(
        stream,
        "POST /embed HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{QUESTION}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
