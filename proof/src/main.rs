//! `qwen3-proof`, which `cargo xtask parity`, `bench` and `fixtures` run.

mod args;

use args::{Arguments, BenchArgs, Command, DtypesArgs, FixturesArgs, ParityArgs, Tier};
use clap::Parser;
use qwen3_checks::{Published, published};
use qwen3_engine::{Checkpoint, Device, Devices, Dtype, DtypeChoice, Hooks, Source, devices};
use qwen3_proof::parity::{Cell, check};
use qwen3_proof::reference::Reference;
use qwen3_proof::{Error, bench, dtypes, in_repository, plot, python, report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut message = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                message = format!("{message}: {error}");
                cause = error.source();
            }
            eprintln!("qwen3-proof: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<bool, Error> {
    if let Ok(isa) = std::env::var("QWEN3_CPU_ISA") {
        qwen3_engine::internals::limit_cpu_isa(&isa)?;
    }
    qwen3_engine::keep_kernels_in(in_repository("target/kernels"));
    match command {
        Command::Parity(args) => parity(&args),
        Command::Bench(args) => run_bench(&args),
        Command::Measure(args) => bench::measure::measure(&args.request).map(|()| true),
        Command::Dtypes(args) => cost_of_dtypes(&args),
        Command::Fixtures(args) => fixtures(&args),
    }
}

/// Whether everything is within bounds.
fn parity(args: &ParityArgs) -> Result<bool, Error> {
    let devices = chosen_devices(&args.on.devices)?;
    if args.reference == Tier::Published {
        return published_numbers(args, &devices);
    }
    let models = references(args)?;
    let mut cells = vec![];
    for (model, reference) in &models {
        let reference = Reference::read(reference, args.max_tokens.unwrap_or(usize::MAX))?;
        for device in &devices {
            for dtype in chosen_dtypes(&args.on.dtypes, device) {
                // The large ones take minutes each.
                eprintln!("{model} on {} in {}", device.id, dtype);
                let cell = check(&reference, model, device.id, dtype)?;
                if !args.quiet {
                    println!("{}", report::lines(&cell));
                }
                cells.push(cell);
            }
        }
    }
    print!("{}", report::table(&cells));
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&cells).expect("numbers and strings");
        std::fs::write(path, json).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    if let Some(path) = &args.plot {
        // One picture has one model: the last, which is the one asked for.
        let model = cells.last().map(|cell| cell.model.clone()).unwrap_or_default();
        let of_model: Vec<&Cell> = cells.iter().filter(|cell| cell.model == model).collect();
        plot::draw(&of_model, path)?;
    }
    let ok = !cells.is_empty() && cells.iter().all(Cell::ok);
    println!("{}", if ok { "parity: everything is within bounds" } else { "parity: NOT the same" });
    Ok(ok)
}

fn published_numbers(args: &ParityArgs, devices: &[Device]) -> Result<bool, Error> {
    let Some(model) = &args.model else {
        let models: Vec<&str> = published::models().iter().map(|of| &of.model[..]).collect();
        let models = models.join(", ");
        let message = format!(
            "published numbers need one of the published models; name it with --model: {models}"
        );
        return Err(Error::Argument(message));
    };
    let checkpoint = Checkpoint::open(model, &Hooks::default())?;
    let of = Published::with_shape_of(&checkpoint).ok_or_else(|| {
        let message = format!("`{model}` has the shape of none of the published models");
        Error::Argument(message)
    })?;
    let mut ok = true;
    for device in devices {
        for dtype in chosen_dtypes(&args.on.dtypes, device) {
            let checks = of.check(&checkpoint, device.id, dtype)?;
            for check in checks {
                let mark = if check.ok() { "[OK]  " } else { "[DIFF]" };
                println!("{mark} {} {dtype}: {check}", device.id);
                ok &= check.ok();
            }
        }
    }
    Ok(ok)
}

/// Models with the folders of their references, made where need be.
fn references(args: &ParityArgs) -> Result<Vec<(String, PathBuf)>, Error> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match (&args.reference, &args.model) {
        (Tier::Fixtures, None) => {
            let fixtures = in_repository("tests/fixtures");
            let names = [
                "tiny-embedding",
                "tiny-embedding-variant",
                "tiny-embedding-overflow",
                "tiny-reranker-tied",
                "tiny-reranker-untied",
                "tiny-seq-cls",
            ];
            Ok(names.map(|name| fixtures.join(name)).map(|path| (text(&path), path)).to_vec())
        }
        (Tier::Fixtures, Some(model)) => Ok(vec![(model.clone(), PathBuf::from(model))]),
        (Tier::Folder(folder), Some(model)) => Ok(vec![(model.clone(), folder.clone())]),
        (_, None) => Err(Error::Argument("name the checkpoint with --model".to_owned())),
        (_, Some(model)) => {
            let path = Source::new(model).locate(&Hooks::default())?;
            if path.is_file() {
                let message =
                    "Transformers can't read a converted file; name the folder it was made of";
                return Err(Error::Argument(message.to_owned()));
            }
            let name = model.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("model");
            let folder = in_repository("target/parity").join(name);
            std::fs::create_dir_all(&folder)
                .map_err(|source| Error::Write { path: folder.clone(), source })?;
            let python = python::python(args.python.as_deref(), false)?;
            let (path, out) = (text(&path), text(&folder));
            python::script(&python, python::REFERENCE, &["--model", &path, "--out", &out])?;
            Ok(vec![(model.clone(), folder)])
        }
    }
}

/// The devices of these names; without names all that are here, and a line
/// for each that isn't.
fn chosen_devices(names: &[String]) -> Result<Vec<Device>, Error> {
    let Devices { found, absent, .. } = devices();
    if names.is_empty() {
        for absent in absent {
            println!("absent: {}: {}", absent.name, absent.reason);
        }
        return Ok(found);
    }
    let device = |name: &String| {
        let here = found.iter().find(|device| device.id.to_string() == *name).cloned();
        here.ok_or_else(|| {
            let reason = absent.iter().find(|absent| absent.name == name);
            let reason = reason
                .map_or("it is not part of this build, or has no such index", |absent| {
                    &absent.reason
                });
            Error::NoDevice { name: name.clone(), reason: reason.to_owned() }
        })
    };
    names.iter().map(device).collect()
}

/// Those asked for that the device can hold; without names all of them. Blocks are held by
/// every device.
fn chosen_dtypes(asked: &[DtypeChoice], device: &Device) -> Vec<Dtype> {
    let is_asked = |dtype: &Dtype| asked.is_empty() || asked.contains(&(*dtype).into());
    let held = device.dtypes.iter().copied().chain([Dtype::Q8_0, Dtype::Q4_0]);
    held.filter(is_asked).collect()
}

fn run_bench(args: &BenchArgs) -> Result<bool, Error> {
    let devices = chosen_devices(&args.on.devices)?;
    let mut pairs = vec![];
    for device in &devices {
        pairs.extend(
            chosen_dtypes(&args.on.dtypes, device).into_iter().map(|dtype| (device.id, dtype)),
        );
    }
    bench::bench(&args.options, &pairs)?;
    Ok(true)
}

fn cost_of_dtypes(args: &DtypesArgs) -> Result<bool, Error> {
    let checkpoint = Checkpoint::open(&args.model, &Hooks::default())?;
    let path = &args.texts;
    let texts = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.clone(), source })?;
    let texts: Vec<String> = texts.lines().map(str::to_owned).collect();
    for device in chosen_devices(&args.on.devices)? {
        let dtypes = chosen_dtypes(&args.on.dtypes, &device);
        let costs = dtypes::costs(&checkpoint, device.id, &dtypes, &texts)?;
        println!(
            "{} on {}, {} texts\n{}",
            args.model,
            device.id,
            texts.len(),
            dtypes::table(&costs)
        );
    }
    Ok(true)
}

fn fixtures(args: &FixturesArgs) -> Result<bool, Error> {
    let python = python::python(args.python.as_deref(), false)?;
    python::script(&python, python::FIXTURES, &[])?;
    Ok(true)
}
