//! Readers of formats that many programs write. They may panic at what they don't expect, go round
//! in circles, take all memory there is, or be too deep in a file for their stack. So they run in
//! a process of their own: this program once more, with a command that reads and prints text.

use super::read::{Format, Unread, extracted};
use super::split::MAX_TEXT_BYTES;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// A page takes milliseconds; what takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest files take a part of it.
const MEMORY_BYTES: u64 = 1 << 30;
/// Between two looks at a process that reads.
const LOOK: Duration = Duration::from_millis(50);
/// Outlines, pages and tags may be nested deeply.
const STACK_BYTES: usize = 256 << 20;
/// So that Windows opens no console for it.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;
const BROKEN: &str = "its structure is broken";

/// Whether somebody wants something else to be done now.
pub type Stops<'s> = &'s dyn Fn() -> bool;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// From now on, readers run in processes of this program. Without it, as in unit tests, they
/// run in the process that asks.
pub fn read_apart(program: PathBuf) {
    // It is the same program every time.
    let _ = PROGRAM.set(program);
}

/// The text in a file of this format, read where a fault of the reader costs the file alone.
pub fn text(format: Format, bytes: &[u8], stops: Stops) -> Result<String, Unread> {
    match PROGRAM.get() {
        Some(program) => of_process(program, format, bytes, stops),
        None => on_thread(format, bytes).map_err(|message| format.unread(message)),
    }
}

/// What the process does: reads standard input, and prints the text in it or what is wrong.
pub fn print_text(format: Format) -> ExitCode {
    // Also if the process that asked was killed.
    thread::spawn(|| {
        let mut limits = Limits::of(process::id());
        loop {
            thread::sleep(LOOK);
            if let Some(excess) = limits.exceeded() {
                process::exit(excess as i32);
            }
        }
    });
    let mut bytes = vec![];
    let read = io::stdin().read_to_end(&mut bytes).map_err(|error| error.to_string());
    let (printed, code) = match read.and_then(|_| on_thread(format, &bytes)) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(message) => (message, ExitCode::FAILURE),
    };
    // Nobody listens once there is enough of it.
    let _ = io::stdout().write_all(printed.as_bytes());
    code
}

fn on_thread(format: Format, bytes: &[u8]) -> Result<String, String> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("reader".to_owned()).stack_size(STACK_BYTES);
        let reader = thread.spawn_scoped(scope, || extracted(format, bytes));
        let read = reader.map_err(|error| error.to_string())?.join();
        read.unwrap_or_else(|_| Err(BROKEN.to_owned()))
    })
}

fn of_process(
    program: &Path,
    format: Format,
    bytes: &[u8],
    stops: Stops,
) -> Result<String, Unread> {
    let failed = |error| {
        let text = format!("`{}` can't be started to read it: {error}", program.display());
        Unread::Io { source: io::Error::other(text) }
    };
    let mut child = start(program, format).map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let stdout = child.stdout.take().expect("it was asked for");
    let (sender, printed) = channel();
    thread::scope(|scope| {
        // A process that has ended takes no more of it.
        scope.spawn(move || stdin.write_all(bytes));
        scope.spawn(move || {
            let mut text = vec![];
            // What came before a failure shows it.
            let _ = stdout.take(MAX_TEXT_BYTES as u64).read_to_end(&mut text);
            // Nobody waits for it if the process was ended.
            let _ = sender.send(text);
        });
        let text = outcome(&mut child, format, &printed, stops);
        // These fail where it has ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        text
    })
}

fn start(program: &Path, format: Format) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(["text", format.name()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NO_WINDOW);
    command.spawn()
}

/// What the process printed, unless it went too far or has to stop.
fn outcome(
    child: &mut Child,
    format: Format,
    printed: &Receiver<Vec<u8>>,
    stops: Stops,
) -> Result<String, Unread> {
    let mut limits = Limits::of(child.id());
    let text = loop {
        match printed.recv_timeout(LOOK) {
            Ok(text) => break text,
            Err(RecvTimeoutError::Disconnected) => return Err(format.unread(BROKEN.to_owned())),
            Err(RecvTimeoutError::Timeout) if stops() => return Err(Unread::Stopped),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(excess) = limits.exceeded() {
                    return Err(excess.into());
                }
            }
        }
    };
    let is_enough = text.len() == MAX_TEXT_BYTES;
    // The last character may be cut in two.
    let text = String::from_utf8_lossy(&text).into_owned();
    if is_enough {
        return Ok(text);
    }
    let status = child.wait().map_err(|source| Unread::Io { source })?;
    match status.code() {
        Some(0) => Ok(text),
        Some(1) => Err(format.unread(text)),
        Some(code) if code == Excess::Memory as i32 => Err(Excess::Memory.into()),
        Some(code) if code == Excess::Time as i32 => Err(Excess::Time.into()),
        _ => Err(format.unread(BROKEN.to_owned())),
    }
}

/// What a process took too much of, and the code with which it then ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Memory = 11,
    Time = 12,
}

impl From<Excess> for Unread {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::Memory => Self::Memory,
            Excess::Time => Self::Time,
        }
    }
}

/// How far a process may go.
struct Limits {
    process: Pid,
    system: System,
    start: Instant,
}

impl Limits {
    fn of(process: u32) -> Self {
        Self { process: Pid::from_u32(process), system: System::new(), start: Instant::now() }
    }

    fn exceeded(&mut self) -> Option<Excess> {
        if self.start.elapsed() > PATIENCE {
            return Some(Excess::Time);
        }
        (self.bytes()? > MEMORY_BYTES).then_some(Excess::Memory)
    }

    /// None: the process is not there, or not to be looked at.
    fn bytes(&mut self) -> Option<u64> {
        let (process, what) = (self.process, ProcessRefreshKind::nothing().with_memory());
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, what);
        let process = self.system.process(process)?;
        // On Windows the second is what was committed to it, also if that is on the disk now.
        let committed = if cfg!(windows) { process.virtual_memory() } else { 0 };
        Some(process.memory().max(committed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_takes_much_is_seen() {
        let mut limits = Limits::of(process::id());
        assert_eq!(limits.exceeded(), None);
        let taken = std::hint::black_box(vec![1_u8; 256 << 20]);
        let bytes = limits.bytes().unwrap();
        assert!(bytes > taken.len() as u64, "{bytes}");
        limits.start -= PATIENCE;
        assert_eq!(limits.exceeded(), Some(Excess::Time));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let read = of_process(Path::new("/no/such/program"), Format::Pdf, b"", &|| false);
        let told = read.unwrap_err().to_string();
        assert!(told.contains("`/no/such/program` can't be started"), "{told}");
    }
}
