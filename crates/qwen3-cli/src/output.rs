//! Results to standard output or a file, row by row.

use crate::args::{InputArgs, OutputArgs};
use crate::error::Error;
use qwen3_engine::{MINI, NewFile};
use same_file::Handle;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where bytes go. A file keeps what is in it until [`Output::finish`].
pub struct Output {
    writer: BufWriter<Sink>,
    path: Option<PathBuf>,
    is_terminal: bool,
}

enum Sink {
    /// A pipe, a terminal, a device: what is written is gone.
    Stream(Box<dyn Write>),
    /// Standard output that goes to a file, from this byte on.
    Redirected(File, u64),
    /// A file that has another name until it is whole.
    New(NewFile),
}

/// What a run reads, and so must not write to.
#[derive(Default)]
pub struct Inputs {
    files: Vec<PathBuf>,
    stdin: bool,
}

impl Inputs {
    /// The files of the model, where it is not from the hub.
    pub fn of_model(model: Option<&str>) -> Self {
        let model = Path::new(model.filter(|model| Some(*model) != MINI).unwrap_or_default());
        let entries = fs::read_dir(model).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path()).chain([model.to_owned()]);
        Self { files: files.collect(), stdin: false }
    }

    /// And where texts come from.
    pub fn and_texts(mut self, arguments: &[String], input: &InputArgs) -> Self {
        match input.input.first() {
            Some(path) if path != Path::new("-") => self.files.push(path.clone()),
            _ => self.stdin = arguments.is_empty(),
        }
        self
    }

    fn contain(&self, file: &Handle) -> bool {
        let is_same = |path: &PathBuf| {
            path.is_file() && Handle::from_path(path).is_ok_and(|input| input == *file)
        };
        let is_stdin = || self.stdin && Handle::stdin().is_ok_and(|stdin| stdin == *file);
        is_stdin() || self.files.iter().any(is_same)
    }
}

impl Output {
    /// Opens `--output`, or standard output. A file that can't be written is
    /// found out here, before anything is computed.
    pub fn open(args: &OutputArgs, inputs: &Inputs) -> Result<Self, Error> {
        let Some(path) = &args.output else { return Self::stdout(inputs) };
        let failed = |source| Error::Write { path: path.clone(), source };
        let old = match fs::metadata(path) {
            Ok(old) if old.is_dir() => return Err(failed(ErrorKind::IsADirectory.into())),
            Ok(old) => old,
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::new(path),
            // Windows says nothing of its devices, such as `NUL`.
            Err(error) => return Self::device(path).map_err(|_| failed(error)),
        };
        if !old.is_file() {
            return Self::device(path).map_err(failed);
        }
        let file = File::options().append(true).open(path).map_err(failed)?;
        let handle = file.try_clone().and_then(Handle::from_file).map_err(failed)?;
        if inputs.contain(&handle) {
            return Err(Error::SameFile { path: path.clone() });
        }
        // What the shell has opened is the shell's to empty: `--output /dev/stdout >> file`.
        if Handle::stdout().is_ok_and(|stdout| stdout == handle) {
            return Self::stdout(inputs);
        }
        let is_stderr = || Handle::stderr().is_ok_and(|stderr| stderr == handle);
        match is_descriptor(path) || is_stderr() {
            true => Ok(Self::of(Sink::Stream(Box::new(file)), Some(path))),
            false => Self::new(path),
        }
    }

    /// What is there and takes bytes, but is no file.
    fn device(path: &Path) -> io::Result<Self> {
        let device = File::options().write(true).open(path)?;
        Ok(Self::of(Sink::Stream(Box::new(device)), Some(path)))
    }

    fn stdout(inputs: &Inputs) -> Result<Self, Error> {
        let is_terminal = io::stdout().is_terminal();
        let Some(mut file) = redirected_stdout() else {
            let stdout = Sink::Stream(Box::new(io::stdout().lock()));
            return Ok(Self { is_terminal, ..Self::of(stdout, None) });
        };
        let handle = file.try_clone().and_then(Handle::from_file);
        if handle.is_ok_and(|handle| inputs.contain(&handle)) {
            // It would read its own results, for ever.
            return Err(Error::SameFile { path: "standard output".into() });
        }
        let sink = match file.stream_position() {
            Ok(start) if !appends(&file) => Sink::Redirected(file, start),
            _ => Sink::Stream(Box::new(file)),
        };
        Ok(Self::of(sink, None))
    }

    fn new(path: &Path) -> Result<Self, Error> {
        let file = NewFile::create(path);
        let file = file.map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(Self::of(Sink::New(file), Some(path)))
    }

    fn of(sink: Sink, path: Option<&Path>) -> Self {
        let path = path.map(Path::to_owned);
        Self { writer: BufWriter::new(sink), path, is_terminal: false }
    }

    /// Standard output, for a line that isn't the result.
    pub fn stdout_stream() -> Self {
        Self::of(Sink::Stream(Box::new(io::stdout())), None)
    }

    /// A stream that a test looks at.
    #[cfg(test)]
    pub fn of_stream(stream: impl Write + 'static) -> Self {
        Self::of(Sink::Stream(Box::new(stream)), None)
    }

    /// Whether results go to a terminal.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.writer.write_all(bytes);
        result.map_err(|error| failed(self.path.as_deref(), error))
    }

    /// Writes all of `reader`.
    pub fn copy(&mut self, reader: &mut impl Read) -> Result<(), Error> {
        let copied = io::copy(reader, &mut self.writer);
        copied.map(drop).map_err(|error| failed(self.path.as_deref(), error))
    }

    /// Makes sure that everything has arrived, and is there under its name.
    pub fn finish(self) -> Result<(), Error> {
        let Self { writer, path, .. } = self;
        let sink = writer.into_inner().map_err(io::IntoInnerError::into_error);
        let result = sink.and_then(|sink| match sink {
            Sink::New(file) => file.replace(),
            mut other => other.flush(),
        });
        result.map_err(|error| failed(path.as_deref(), error))
    }

    /// The whole of a small result.
    pub fn print(mut self, text: &str) -> Result<(), Error> {
        self.write(text.as_bytes())?;
        self.finish()
    }

    /// Whether what was written first can be written again.
    pub fn is_rewritable(&self) -> bool {
        !matches!(self.writer.get_ref(), Sink::Stream(_))
    }

    /// Writes `bytes` over those that were written first.
    pub fn rewrite_start(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // Flushes what is in the buffer.
        let start = if let Sink::Redirected(_, start) = self.writer.get_ref() { *start } else { 0 };
        let rewritten = self.writer.stream_position().and_then(|end| {
            self.writer.seek(SeekFrom::Start(start))?;
            self.writer.write_all(bytes)?;
            self.writer.seek(SeekFrom::Start(end))
        });
        rewritten.map(drop).map_err(|error| failed(self.path.as_deref(), error))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.write(bytes),
            Self::Redirected(file, _) => file.write(bytes),
            Self::New(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.flush(),
            Self::Redirected(file, _) => file.flush(),
            Self::New(file) => file.flush(),
        }
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Stream(_) => Err(ErrorKind::NotSeekable.into()),
            Self::Redirected(file, _) => file.seek(to),
            Self::New(file) => file.seek(to),
        }
    }
}

/// Whether the path names something that this process or another has open, such
/// as `/dev/fd/3`: there is no name to give to a new file.
fn is_descriptor(path: &Path) -> bool {
    let mut path = path.to_owned();
    loop {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let real = folder.canonicalize().unwrap_or_default();
        if real == Path::new("/dev/fd") || (real.starts_with("/proc") && real.ends_with("fd")) {
            return true;
        }
        let Ok(next) = fs::read_link(&path) else { return false };
        path = folder.join(next);
    }
}

/// Standard output, where it is a file.
fn redirected_stdout() -> Option<File> {
    #[cfg(unix)]
    let stdout = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let stdout = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
    let file = File::from(stdout.ok()?);
    file.metadata().ok()?.is_file().then_some(file)
}

/// Whether all that is written goes to the file's end, wherever one has gone in it.
fn appends(file: &File) -> bool {
    #[cfg(unix)]
    let flags = rustix::fs::fcntl_getfl(file);
    #[cfg(unix)]
    let appends = flags.is_ok_and(|flags| flags.contains(rustix::fs::OFlags::APPEND));
    // Elsewhere it isn't told.
    #[cfg(not(unix))]
    let (appends, _) = (true, file);
    appends
}

fn failed(path: Option<&Path>, error: io::Error) -> Error {
    match path {
        _ if error.kind() == ErrorKind::BrokenPipe => Error::BrokenPipe,
        Some(path) => Error::Write { path: path.to_owned(), source: error },
        None => Error::Stdout(error),
    }
}

/// Float32 as bytes.
pub fn little_endian(row: &[f32]) -> Vec<u8> {
    row.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of its own is refused where it is read, as `cat` does it.
    fn is_refused(path: &Path, inputs: &Inputs) -> bool {
        let args = OutputArgs { output: Some(path.to_owned()) };
        matches!(Output::open(&args, inputs), Err(Error::SameFile { .. }))
    }

    #[test]
    fn an_input_is_known_by_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["texts", "model", "other"] {
            fs::write(at(name), name).unwrap();
        }
        fs::hard_link(at("texts"), at("hard")).unwrap();
        let files = [at("texts"), at("model"), at("missing")];
        let inputs = Inputs { files: files.to_vec(), stdin: true };
        assert!(["texts", "hard", "model"].iter().all(|name| is_refused(&at(name), &inputs)));
        assert!(["other", "missing", "new"].iter().all(|name| !is_refused(&at(name), &inputs)));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("hard", at("link")).unwrap();
            assert!(is_refused(&at("link"), &inputs));
        }
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 4 + usize::from(cfg!(unix)), "nothing new is left");
    }
}
