//! `cargo xtask mini`: makes the small model from nothing but packages.
//!
//! Python has the world's tools for texts, tokenizers and the teacher, in
//! `mini/`; the training is our own command. Each step is skipped where its
//! output is there, so a run that was killed goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const USAGE: &str = "\
usage: cargo xtask mini --data FOLDER [--texts N] [--python PYTHON]

Makes the small model in FOLDER, which takes about 3 GB: brings texts and the teacher, trains the
tokenizer, computes the teacher's vectors, trains, converts and evaluates. Steps whose output is
there are skipped; delete an output to make it and, one by one, what follows from it again.

options:
  --data FOLDER    where everything is kept
  --texts N        the teacher tells of the first N texts [default: 1000000, of 1.6 million]
  --python PYTHON  a Python with mini/requirements.txt [default: made in FOLDER/python]";

/// Options of `qwen3 train distil` in all passes.
const TRAIN: &str =
    "--dtype bf16 --dimensions 256,128,64 --similarity-weight 4 --measure-every 250";
/// From the mean of words, over texts of all sources in random order.
const FIRST_PASS: &str = "--learning-rate 0.002 --max-tokens 64 --steps 3750";
/// Among texts that are alike, so that the order of the nearest is learned.
const SECOND_PASS: &str =
    "--keep-order --learning-rate 0.0015 --max-tokens 160 --ranking-weight 0.1 --steps 5000";
/// Texts of all sources again, and pairs.
const THIRD_PASS: &str =
    "--keep-order --learning-rate 0.0006 --max-tokens 160 --ranking-weight 0.1 --warm-up 50";
/// Texts that the teacher tells of, unless told otherwise.
const N_TEXTS: &str = "1000000";
/// Programs of ours that need the training code.
const FEATURES: &str = "cpu,train";

struct Options {
    data: PathBuf,
    texts: String,
    python: Option<PathBuf>,
}

/// What is there after a step, and the program that makes it.
struct Step {
    name: &'static str,
    output: String,
    command: Command,
}

/// Runs the steps whose output isn't there, and says which.
pub fn mini(arguments: &[&str]) -> ExitCode {
    let Some(options) = options(arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match make(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("mini: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[&str]) -> Option<Options> {
    let mut found = Options { data: PathBuf::new(), texts: N_TEXTS.to_owned(), python: None };
    for pair in arguments.chunks(2) {
        match *pair {
            ["--data", folder] => found.data = std::path::absolute(folder).ok()?,
            ["--texts", n] => found.texts = n.parse::<usize>().ok()?.to_string(),
            ["--python", python] => found.python = Some(python.into()),
            _ => return None,
        }
    }
    Some(found).filter(|found| !found.data.as_os_str().is_empty())
}

fn make(options: &Options) -> Result<(), String> {
    let python = match &options.python {
        Some(python) => python.clone(),
        None => environment(&options.data)?,
    };
    for Step { name, output, mut command } in steps(options, &python) {
        if options.data.join(&output).exists() {
            println!("mini: {name}: `{output}` is there");
            continue;
        }
        println!("mini: {name}");
        run(&mut command)?;
        if !options.data.join(&output).exists() {
            return Err(format!("{name} ended without `{output}`"));
        }
    }
    Ok(())
}

fn steps(options: &Options, python: &Path) -> Vec<Step> {
    let data = &options.data;
    let script = |name: &str| {
        let mut command = Command::new(python);
        command.arg(format!("{ROOT}/mini/{name}.py")).arg(data);
        command
    };
    let teacher = |step: &str| {
        let mut command = script("teacher");
        command.arg(step).args(["--texts", &options.texts]);
        command
    };
    let mut fetch = Command::new(format!("{ROOT}/mini/fetch.sh"));
    fetch.arg(data).arg(python);
    let mut evaluate = script("evaluate");
    evaluate.args(["qwen3-mini.safetensors", "untrained"].map(|model| data.join(model)));
    evaluate.arg("--qwen3").arg(program()).arg("--json").arg(data.join("evaluation.json"));
    let step = |name, output: &str, command| Step { name, output: output.to_owned(), command };
    let pass = |name, options, folders: [&str; 3]| {
        let output = format!("{}/model.safetensors", folders[2]);
        Step { name, output, command: distil(data, folders, options) }
    };
    vec![
        step("fetch", "fetched", fetch),
        step("corpus", "texts.jsonl", script("corpus")),
        step("tokenizer", "tokenizer/tokenizer.json", script("tokenizer")),
        step("teacher's vectors", "vectors/complete", teacher("vectors")),
        step("targets", "train/targets.npy", teacher("targets")),
        step("starting weights", "start/model.safetensors", script("start")),
        pass("first pass", FIRST_PASS, ["start", "train", "first"]),
        step("arrangement", "grouped/targets.npy", script("grouped")),
        pass("second pass", SECOND_PASS, ["first", "grouped", "second"]),
        step("pairs", "pairs/targets.npy", script("pairs")),
        step("mixture", "mixed/targets.npy", script("mixed")),
        pass("third pass", THIRD_PASS, ["second", "mixed", "third"]),
        step("mean", "trained/model.safetensors", script("mean")),
        step("conversion", "qwen3-mini.safetensors", convert(data)),
        step("evaluation", "evaluation.json", evaluate),
    ]
}

/// Training from the first folder's weights, with the second one's texts, into the third.
fn distil(data: &Path, [model, texts, out]: [&str; 3], pass: &str) -> Command {
    let mut command = qwen3(&["train", "distil"]);
    let (file, targets) = (format!("{texts}/texts.jsonl"), format!("{texts}/targets.npy"));
    for (option, path) in [
        ("--model", model),
        ("--texts", &file),
        ("--targets", &targets),
        ("--held-out", "held.jsonl"),
        ("--held-out-targets", "train/held-targets.npy"),
        ("--out", out),
    ] {
        command.arg(option).arg(data.join(path));
    }
    command.args(TRAIN.split(' ')).args(pass.split(' '));
    command
}

fn convert(data: &Path) -> Command {
    let mut command = qwen3(&["convert", "--dtype", "bf16"]);
    command.arg("--model").arg(data.join("trained"));
    command.arg("--out").arg(data.join("qwen3-mini.safetensors"));
    command
}

/// Our command, built where need be.
fn qwen3(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--release", "--bin", "qwen3", "--features", FEATURES]);
    command.args(["--manifest-path", &format!("{ROOT}/Cargo.toml"), "--"]).args(arguments);
    command
}

/// Where cargo leaves what [`qwen3`] builds.
fn program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(ROOT).join("target"));
    target.join("release").join(format!("qwen3{}", std::env::consts::EXE_SUFFIX))
}

/// The Python of a virtual environment with what `mini/requirements.txt` names.
fn environment(data: &Path) -> Result<PathBuf, String> {
    let requirements = format!("{ROOT}/mini/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("can't read `{requirements}`: {error}"))?;
    let folder = data.join("python");
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--requirement", &requirements];
    run(Command::new(&python).args(install))?;
    std::fs::write(&installed, wanted)
        .map_err(|error| format!("can't write `{}`: {error}", installed.display()))?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}` ended with {status}; its last lines say why")),
        Err(error) => Err(format!("can't run `{program}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_needed_and_a_number_is_one() {
        assert!(options(&[]).is_none());
        assert!(options(&["--texts", "5"]).is_none());
        assert!(options(&["--data", "d", "--texts", "many"]).is_none());
        assert!(options(&["--data"]).is_none());
        let found = options(&["--data", "d", "--texts", "5"]).unwrap();
        assert!(found.data.is_absolute() && found.data.ends_with("d"));
        assert_eq!(found.texts, "5");
    }

    #[test]
    fn the_number_of_texts_reaches_the_teacher_alone() {
        let options = options(&["--data", "/d", "--texts", "5"]).unwrap();
        let limited: Vec<_> = steps(&options, Path::new("python"))
            .into_iter()
            .filter(|step| step.command.get_args().any(|argument| argument == "--texts"))
            .filter(|step| step.command.get_args().any(|argument| argument == "5"))
            .map(|step| step.output)
            .collect();
        assert_eq!(limited, ["vectors/complete", "train/targets.npy"]);
    }

    #[test]
    fn each_script_is_there() {
        let options = options(&["--data", "/d"]).unwrap();
        let scripts: Vec<_> = steps(&options, Path::new("python"))
            .iter()
            .filter_map(|step| step.command.get_args().next().map(ToOwned::to_owned))
            .filter(|script| Path::new(script).extension().is_some_and(|end| end == "py"))
            .collect();
        assert_eq!(scripts.len(), 10);
        assert!(scripts.iter().all(|script| Path::new(script).is_file()), "{scripts:?}");
    }
}
