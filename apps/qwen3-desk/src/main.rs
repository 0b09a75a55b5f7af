//! `qwen3-desk`: semantic search over your own folders.
//!
//! In reading order: `documents` makes passages of files, `folders` finds the files, `store` keeps
//! what was computed, `index` searches it in memory, `model` has the engine's models, `worker` puts
//! these together on threads, and `window` shows it. `docs/desktop.md` walks through them.

// Windows opens a console beside the window of a program that has no such line.
#![cfg_attr(all(windows, not(test), not(debug_assertions)), windows_subsystem = "windows")]

mod console;
mod documents;
mod folders;
mod headless;
mod index;
mod model;
mod one_instance;
mod settings;
mod store;
mod window;
mod words;
mod worker;

use clap::{Parser, Subcommand};
use one_instance::{Instance, PATIENCE, Taken};
use settings::Places;
use std::path::PathBuf;
use std::process::ExitCode;

/// Semantic search over your own folders. Without a command, opens the window.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Keep settings and index in this folder, and not where the system wants them
    #[arg(long, value_name = "FOLDER", global = true)]
    data: Option<PathBuf>,
    #[cfg(target_os = "linux")]
    #[command(flatten)]
    screens: window::Screens,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add folders and bring the index up to date, without a window
    Index {
        /// Folders to add; without any, those of the settings are looked through again
        #[arg(value_name = "FOLDER")]
        folders: Vec<PathBuf>,
    },
    /// Search the index, without a window
    Search {
        /// What to look for
        query: String,
        /// Passages to print, 50 at most
        #[arg(short = 'n', long, default_value_t = 10)]
        count: usize,
    },
    /// Print the text of the PDF or web page on standard input; this program asks itself for it
    #[command(hide = true)]
    Text { format: documents::Format },
}

const SILENT: &str = "another qwen3-desk has this index but doesn't answer: a command that isn't \
    done, or a window that hangs; wait for it or end it, or use --data";
const TAKEN: &str = "another qwen3-desk has this index: its window is open, or another command \
    isn't done; close it or wait for it first, or use --data";

fn main() -> ExitCode {
    console::attach();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() && !console::has_stderr() => {
            console::tell(&error.to_string());
            return ExitCode::from(2);
        }
        // Prints it, or what `--help` asks for.
        Err(error) => error.exit(),
    };
    if let Some(Command::Text { format }) = args.command {
        return documents::print_text(format);
    }
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            console::tell(&format!("qwen3-desk: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// How the way to a screen is chosen, unless as the system does.
#[cfg(target_os = "linux")]
fn event_loop(args: &Args) -> Option<eframe::EventLoopBuilderHook> {
    args.screens.event_loop()
}

#[cfg(not(target_os = "linux"))]
fn event_loop(_: &Args) -> Option<eframe::EventLoopBuilderHook> {
    None
}

fn run(args: Args) -> Result<(), String> {
    let event_loop = event_loop(&args);
    let places = match args.data {
        Some(folder) => Places::within(&folder),
        None => {
            Places::of_the_user().ok_or("there is no home folder; name a folder with --data")?
        }
    };
    let taken = match args.command {
        None => Instance::take_or_ask(&places.lock, PATIENCE),
        Some(_) => {
            Instance::take(&places.lock).map(|instance| instance.map_or(Taken::Silent, Taken::Here))
        }
    };
    let folder = places.lock.parent().unwrap_or(&places.lock);
    let no_folder = |error| match folder.is_file() {
        true => format!("`{}` is a file, and no folder for settings and index", folder.display()),
        false => format!("the folder `{}` can't be used: {error}", folder.display()),
    };
    let instance = match (taken.map_err(no_folder)?, &args.command) {
        (Taken::Here(instance), _) => instance,
        (Taken::Shown, _) => return Ok(()),
        (Taken::Silent, None) => return Err(SILENT.to_owned()),
        (Taken::Silent, Some(_)) => return Err(TAKEN.to_owned()),
    };
    // A system that doesn't tell its path has to trust in the readers.
    if let Ok(program) = std::env::current_exe() {
        documents::read_apart(program);
    }
    match args.command {
        Some(Command::Index { folders }) => headless::index(&places, folders),
        Some(Command::Search { query, count }) => headless::search(&places, query, count),
        Some(Command::Text { .. }) | None => window::open(places, &instance, event_loop),
    }
}
