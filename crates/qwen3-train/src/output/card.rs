//! `README.md`: what the model is, and how it was made.

use super::Made;
use qwen3_engine::Kind;
use qwen3_engine::internals::training::name;
use std::fmt::Write;
use std::path::Path;

/// The model card of a run, with the front matter that the hub reads.
pub(super) fn card(made: &Made) -> String {
    let mut card = front_matter(made);
    let base = base(made);
    let called = made.context.folder.path().file_name().unwrap_or_default().to_string_lossy();
    let what = made.task.name();
    let _ = write!(card, "# {called}\n\nMade from `{base}` with `qwen3 train {what}`, version ");
    let _ = write!(
        card,
        "{}.\n\n## Data\n\n| file | for | rows | XXH3 |\n|---|---|---|---|\n",
        env!("CARGO_PKG_VERSION")
    );
    for file in made.task.files() {
        let called = file.path.file_name().unwrap_or_default().to_string_lossy();
        let _ =
            writeln!(card, "| `{called}` | {} | {} | `{}` |", file.role, file.rows, file.checksum);
    }
    card.push_str(&settings(made));
    card.push_str(&measures(made));
    card.push_str(&usage(made, &called));
    card
}

/// The base's id on the hub, else the name of its folder: where that lies is nobody's affair.
fn base(made: &Made) -> String {
    let named = name(made.context.checkpoint);
    let path = Path::new(named);
    match path.exists() {
        true => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        false => named.to_owned(),
    }
}

fn front_matter(made: &Made) -> String {
    let base = base(made);
    let (library, tag) = match made.context.checkpoint.kind() {
        _ if made.context.run.settings.lora.is_some() => ("peft", "lora"),
        Kind::Embedding => ("sentence-transformers", "sentence-similarity"),
        _ => ("transformers", "text-ranking"),
    };
    // A path is no model that the hub knows.
    let base = match base.split('/').collect::<Vec<_>>()[..] {
        [owner, model] if !owner.is_empty() && !owner.starts_with('.') && !model.is_empty() => {
            format!("base_model: {base}\n")
        }
        _ => String::new(),
    };
    format!("---\n{base}library_name: {library}\ntags:\n- qwen3\n- {tag}\n---\n\n")
}

fn settings(made: &Made) -> String {
    let mut text = "\n## Settings\n\n| setting | value |\n|---|---|\n".to_owned();
    let told = made.planned.identity.as_object().into_iter().flatten();
    for (name, value) in told.filter(|(name, value)| *name != "data" && !value.is_null()) {
        let _ = writeln!(text, "| {} | `{value}` |", name.replace('_', " "));
    }
    let (steps, of) = (made.state.step, made.planned.steps);
    let epochs = steps as f64 / made.planned.steps_per_epoch as f64;
    let _ = writeln!(
        text,
        "\n{steps} of {of} steps were done, {epochs:.2} passes over the data, in {:.0} s.",
        made.state.seconds
    );
    text
}

/// The first look at held-out data and the one whose weights were kept.
fn measures(made: &Made) -> String {
    let ([first, .., last] | [first @ last]) = made.measured else { return String::new() };
    let mut text = format!(
        "\n## Held-out measures\n\n| measure | before (step {}) | after (step {}) |\n|---|---|---|\n",
        first.step, last.step
    );
    for (name, value) in &last.held_out {
        let before =
            first.held_out.get(name).map_or(String::new(), |before| format!("{before:.4}"));
        let _ = writeln!(text, "| {name} | {before} | {value:.4} |");
    }
    text
}

fn usage(made: &Made, called: &str) -> String {
    if made.context.run.settings.lora.is_some() {
        let base = base(made);
        return format!(
            "\n## Use\n\nThe folder is an adapter in PEFT's layout. This makes a model of it and its base:\n\n```sh\nqwen3 merge --model {base} --adapter {called} --out merged\n```\n"
        );
    }
    let command = match made.context.checkpoint.kind() {
        Kind::Embedding => "embed --model PATH 'a text'",
        _ => "rerank --model PATH --query 'a query' 'a document'",
    };
    format!("\n## Use\n\n```sh\nqwen3 {}\n```\n", command.replace("PATH", called))
}
