//! What is compared: every combination of what was asked for.

use super::args::SettingArgs;
use super::error::{EvalError, each_once};
use crate::embed::DEFAULT_MODEL;
use crate::error::Error;
use crate::table::shorten;
use qwen3_engine::{DtypeChoice, Prompt};
use qwen3_eval::{Run, read_run};
use std::path::{Path, PathBuf};

/// Where vectors or rankings come from.
#[derive(Clone, Debug)]
pub enum Origin {
    Model { name: String, dtype: DtypeChoice },
    Run(RunFile),
}

/// A ranking of another program.
#[derive(Clone, Debug)]
pub struct RunFile {
    /// What it is called in results.
    pub name: String,
    pub path: PathBuf,
    pub run: Run,
}

/// A combination, but for the reranker.
#[derive(Clone, Debug)]
pub struct Variant {
    /// None: the model's own.
    pub instruction: Option<String>,
    /// None: all.
    pub dimensions: Option<usize>,
}

/// All that is compared.
pub struct Settings {
    pub origins: Vec<Origin>,
    /// Of each model.
    pub variants: Vec<Variant>,
}

impl Settings {
    pub fn new(args: &SettingArgs) -> Result<Self, Error> {
        each_once("--model", &args.model)?;
        each_once("--dtype", &args.dtype)?;
        each_once("--dimensions", &args.dimensions)?;
        let default = [DEFAULT_MODEL.to_owned()];
        let models = if args.model.is_empty() { &default[..] } else { &args.model };
        let of = |name: &String, dtype| Origin::Model { name: name.clone(), dtype };
        let origins = match args.from_run.is_empty() {
            true => models
                .iter()
                .flat_map(|name| args.dtype.iter().map(move |&dtype| of(name, dtype)))
                .collect(),
            false => run_files(&args.from_run)?.into_iter().map(Origin::Run).collect(),
        };
        let dimensions = match args.dimensions.is_empty() {
            true => vec![None],
            false => args.dimensions.iter().copied().map(Some).collect(),
        };
        let variants = instructions(args)?.into_iter().flat_map(|instruction| {
            let of = |&dimensions| Variant { instruction: instruction.clone(), dimensions };
            dimensions.iter().map(of).collect::<Vec<_>>()
        });
        Ok(Self { origins, variants: variants.collect() })
    }

    /// How many combinations there are.
    pub fn len(&self) -> usize {
        match self.origins[0] {
            Origin::Model { .. } => self.origins.len() * self.variants.len(),
            Origin::Run(_) => self.origins.len(),
        }
    }

    /// The models, each once.
    pub fn models(&self) -> Vec<&str> {
        let mut names: Vec<&str> = vec![];
        for origin in &self.origins {
            if let Origin::Model { name, .. } = origin
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// The run files.
    pub fn runs(&self) -> impl Iterator<Item = &RunFile> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::Run(file) => Some(file),
            Origin::Model { .. } => None,
        })
    }
}

/// They are called by their names, and by their paths where two have one name.
fn run_files(paths: &[PathBuf]) -> Result<Vec<RunFile>, Error> {
    each_once("--from-run", paths.iter().map(|path| full(path)))?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_owned();
    let read = |path: &PathBuf| {
        let is_alone = paths.iter().filter(|other| name(other) == name(path)).count() == 1;
        let called = if is_alone { PathBuf::from(name(path)) } else { path.clone() };
        let (name, run) = (called.display().to_string(), read_run(path)?);
        Ok(RunFile { name, path: path.clone(), run })
    };
    paths.iter().map(read).collect()
}

/// A path that is the same for the same file.
pub fn full(path: &Path) -> String {
    dunce::canonicalize(path).as_deref().unwrap_or(path).display().to_string()
}

/// Those of the flags, then those of the file; none is the model's own.
fn instructions(args: &SettingArgs) -> Result<Vec<Option<String>>, Error> {
    let mut instructions = args.instruction.clone();
    if let Some(path) = &args.instruction_file {
        let text = std::fs::read_to_string(path);
        let name = path.display().to_string();
        let text = text.map_err(|source| Error::Read { name, source })?;
        // A byte order mark belongs to the file.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let before = instructions.len();
        instructions.extend(lines.map(str::to_owned));
        if instructions.len() == before {
            return Err(EvalError::NoInstruction { path: path.clone() }.into());
        }
    }
    each_once("--instruction", &instructions)?;
    Ok(match instructions.is_empty() {
        true => vec![None],
        false => instructions.into_iter().map(Some).collect(),
    })
}

impl Variant {
    /// The prompt that it asks for; `default` where it asks for none.
    pub fn prompt(&self, default: Prompt) -> Prompt {
        match self.instruction.as_deref() {
            None => default,
            Some("") => Prompt::Text(String::new()),
            Some(task) => Prompt::Instruction(task.to_owned()),
        }
    }
}

/// How a setting is called in results.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The model, or the file of a run.
    pub model: String,
    pub dtype: String,
    pub dimensions: Option<usize>,
    pub instruction: Option<String>,
    pub reranker: Option<String>,
}

impl Label {
    /// In one line: the model, and what else `others` differ in.
    pub fn in_words(&self, others: &[Self]) -> String {
        let differ =
            |of: fn(&Self) -> Option<String>| others.iter().any(|other| of(other) != of(self));
        let mut words = vec![self.model.clone()];
        if differ(|label| Some(label.dtype.clone())) {
            words.push(self.dtype.clone());
        }
        if differ(|label| label.dimensions.map(|n| n.to_string())) {
            words.extend(self.dimensions.map(|n| n.to_string()));
        }
        if differ(|label| label.instruction.clone()) {
            words.push(format!("'{}'", shorten(&self.instruction_in_words())));
        }
        words.extend(self.reranker.as_ref().map(|name| format!("+ {name}")));
        words.join(" ")
    }

    pub fn instruction_in_words(&self) -> String {
        match self.instruction.as_deref() {
            None => "(default)".to_owned(),
            Some("") => "(none)".to_owned(),
            Some(task) => task.to_owned(),
        }
    }
}
