//! The real window: on a display in memory, drawn by whatever Vulkan driver is here. It needs
//! Xvfb and xdotool, Debian's packages `xvfb` and `xdotool`, and a driver, as `mesa-vulkan-drivers`.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(250);

fn is_here(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A screen, what is on it, and the program's files.
struct Desk {
    folder: TempDir,
    display: String,
    _screen: Running,
    _only: MutexGuard<'static, ()>,
}

/// Two screens that begin at once may take the same number.
static ONE_SCREEN: Mutex<()> = Mutex::new(());

impl Desk {
    fn new() -> Self {
        // A test that has failed leaves nothing behind.
        let only = ONE_SCREEN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        for part in ["notes", "data", "bin", "screen"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let mut screen = Command::new("Xvfb");
        screen.args(["-displayfd", "1", "-screen", "0", "1100x740x24", "-nolisten", "tcp"]);
        screen.arg("-fbdir").arg(folder.path().join("screen"));
        let mut screen = screen.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(screen.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        Self { folder, display, _screen: Running(screen), _only: only }
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Notes, settings that name them, and a program in the place of the system's that tells
    /// which file it was to open.
    fn write_files(&self) {
        let bread = "Knead the dough for ten minutes, then let the yeast rise overnight.";
        fs::write(self.path("notes/bread.md"), bread).unwrap();
        fs::write(self.path("notes/apples.txt"), "Gravity pulls apples to the ground.").unwrap();
        let settings = serde_json::json!({ "folders": [self.path("notes")], "device": "cpu" });
        fs::write(self.path("data/settings.json"), settings.to_string()).unwrap();
        let open = self.path("bin/xdg-open");
        let opened = self.path("opened");
        fs::write(&open, format!("#!/bin/sh\necho \"$1\" >> '{}'\n", opened.display())).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn program(&self) -> Command {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let paths = [self.path("bin")].into_iter().chain(std::env::split_paths(&before));
        let mut command = Command::new(env!("CARGO_BIN_EXE_qwen3-desk"));
        command.arg("--data").arg(self.path("data"));
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY");
        command.env("PATH", std::env::join_paths(paths).unwrap());
        command
    }

    /// What `xdotool` answers.
    fn xdotool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("xdotool");
        let output = command.args(arguments).env("DISPLAY", &self.display).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn opened(&self) -> String {
        fs::read_to_string(self.path("opened")).unwrap_or_default()
    }

    /// How many colours are on the screen. An empty one has one or two.
    fn colours(&self) -> usize {
        let pixels = fs::read(self.path("screen/Xvfb_screen0")).unwrap();
        pixels.chunks_exact(4).collect::<HashSet<_>>().len()
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return found;
        }
        sleep(PAUSE);
    }
    panic!("never: {what}");
}

/// Whether a real window can be opened here; else says why not.
fn can_open_windows() -> bool {
    let drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let is_empty =
        |folder: &&str| fs::read_dir(Path::new(folder)).into_iter().flatten().count() == 0;
    if !is_here("Xvfb") || !is_here("xdotool") || drivers.iter().all(is_empty) {
        println!("there is no Xvfb, no xdotool or no Vulkan driver here: no window is opened");
        return false;
    }
    true
}

#[test]
fn a_question_is_typed_and_its_file_opened() {
    if !can_open_windows() {
        return;
    }
    let desk = Desk::new();
    desk.write_files();
    assert!(desk.program().arg("index").status().unwrap().success());
    let mut program = Running(desk.program().spawn().unwrap());
    let search = ["search", "--onlyvisible", "--name", "^qwen3-desk$"];
    let window =
        until("a window", || Some(desk.xdotool(&search)).filter(|window| !window.is_empty()));
    until("something on the screen", || (desk.colours() > 20).then_some(()));
    desk.xdotool(&["windowfocus", "--sync", &window]);
    desk.xdotool(&["type", "--delay", "30", "how do I bake a loaf?"]);
    // Enter opens the first passage as soon as there is one. That of half a question may be another.
    let bread = desk.path("notes/bread.md");
    until("the file that answers", || {
        desk.xdotool(&["key", "Return"]);
        desk.opened().lines().any(|opened| Path::new(opened) == bread).then_some(())
    });

    // A second start ends at once, and leaves the first as it is.
    let second = desk.program().status().unwrap();
    assert!(second.success());
    assert!(program.0.try_wait().unwrap().is_none(), "the first goes on");
}

#[test]
fn a_display_is_used_where_no_compositor_answers() {
    if !can_open_windows() {
        return;
    }
    let desk = Desk::new();
    desk.write_files();
    let mut command = desk.program();
    command.env("WAYLAND_DISPLAY", "nobody").env("XDG_RUNTIME_DIR", desk.path("bin"));
    let mut program = Running(command.spawn().unwrap());
    let search = ["search", "--onlyvisible", "--name", "^qwen3-desk$"];
    until("a window", || {
        assert!(program.0.try_wait().unwrap().is_none(), "it ended without a window");
        Some(desk.xdotool(&search)).filter(|window| !window.is_empty())
    });
}
