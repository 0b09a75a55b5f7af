//! Which of a model's GGUF files is meant.

use super::names::{HubName, is_gguf_name};
use crate::error::Error;

/// The end of each name.
const EXTENSION: &str = ".gguf";
/// What may stand before a part of a name, and what may follow it: `Q4_K` is no part of `Q4_K_M`.
const BEFORE: [char; 4] = ['-', '.', '/', '_'];
const AFTER: [char; 3] = ['-', '.', '/'];
/// How the names of dtypes begin that aren't read, before a digit.
const UNREAD: [&str; 4] = ["IQ", "TQ", "MXFP", "NVFP"];

/// The one of `files` that is asked for: by its path, with or without the extension, else
/// by a part of its name, which is the quantisation mostly. Without a name it is the only
/// one. Files of projectors and names that aren't plain are passed over, and so are those
/// whose name says a dtype that isn't read.
///
/// # Errors
/// If there is none, there are several, it is cut into parts, or its dtype isn't read.
pub fn choose(
    name: HubName<'_>,
    files: impl IntoIterator<Item = impl Into<String>>,
) -> Result<String, Error> {
    let files = files.into_iter().map(Into::into);
    let models = files.filter(|file| is_gguf_name(file) && !is_projector(file));
    let (unread, models): (Vec<String>, Vec<String>) = models.partition(|file| is_unread(file));
    let (parts, mut whole): (Vec<String>, Vec<String>) =
        models.into_iter().partition(|file| is_part(file));
    whole.sort_unstable();
    let Some(asked) = name.file else {
        return match (&whole[..], &parts[..]) {
            ([file], []) => Ok(file.clone()),
            ([], []) if !unread.is_empty() => Err(in_unread_dtype(name, &unread[0], &whole)),
            ([], [part, ..]) => Err(in_parts(name, part)),
            ([], []) => Err(Error::NoSuchGguf { model: name.to_string(), choices: vec![] }),
            _ => Err(several(name, &whole, &whole)),
        };
    };
    match &asked_for(asked, &whole)[..] {
        [file] => Ok((*file).clone()),
        [] => Err(match (asked_for(asked, &parts).first(), asked_for(asked, &unread).first()) {
            (Some(part), _) => in_parts(name, part),
            (None, Some(file)) => in_unread_dtype(name, file, &whole),
            (None, None) => {
                let choices = as_typed(name.model, &whole, &whole);
                Error::NoSuchGguf { model: name.to_string(), choices }
            }
        }),
        found => {
            let found: Vec<String> = found.iter().map(|file| (*file).clone()).collect();
            Err(several(name, &found, &whole))
        }
    }
}

fn in_unread_dtype(name: HubName<'_>, file: &str, whole: &[String]) -> Error {
    let (model, choices) = (name.model.to_owned(), as_typed(name.model, whole, whole));
    Error::GgufDtype { model, file: file.to_owned(), choices }
}

fn in_parts(name: HubName<'_>, part: &str) -> Error {
    Error::GgufParts { model: name.to_string(), file: part.to_owned() }
}

fn several(name: HubName<'_>, found: &[String], all: &[String]) -> Error {
    Error::SeveralGguf { model: name.to_string(), choices: as_typed(name.model, found, all) }
}

/// Those whose name is `asked`, else those whose name has it as a part.
fn asked_for<'a>(asked: &str, files: &'a [String]) -> Vec<&'a String> {
    let is_named = |file: &&String| {
        let file = file.as_str();
        file == asked || file.strip_suffix(EXTENSION) == Some(asked)
    };
    let named: Vec<&String> = files.iter().filter(is_named).collect();
    match named[..] {
        [] => files.iter().filter(|file| has_part(file, asked)).collect(),
        _ => named,
    }
}

/// Whether a name has this part, in whatever case.
fn has_part(file: &str, part: &str) -> bool {
    let (file, part) = (file.to_ascii_lowercase(), part.to_ascii_lowercase());
    file.match_indices(&part).any(|(at, _)| {
        let (before, after) = (&file[..at], &file[at + part.len()..]);
        (before.is_empty() || before.ends_with(BEFORE))
            && (after.is_empty() || after.starts_with(AFTER))
    })
}

/// How a user asks for each of `found`: by its quantisation where that is one of `all`.
fn as_typed(model: &str, found: &[String], all: &[String]) -> Vec<String> {
    let short = |file: &String| {
        let quantisation = quantisation_of(file)?;
        matches!(asked_for(quantisation, all)[..], [_]).then(|| quantisation.to_owned())
    };
    let typed = |file| format!("{model}:{}", short(file).unwrap_or_else(|| file.clone()));
    found.iter().map(typed).collect()
}

/// The quantisation that a name tells, last in most: `Q8_0` of `model-Q8_0.gguf`.
fn quantisation_of(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(EXTENSION)?;
    let after_underscores = |part: &str| {
        let starts = part.match_indices('_').map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).collect::<Vec<_>>()
    };
    stem.rsplit(AFTER).find_map(|part| {
        let ends = after_underscores(part).into_iter().map(|start| &part[start..]);
        ends.into_iter().find(|end| is_quantisation(end))
    })
}

/// Whether llama.cpp's tools may call a format so, in whatever case.
fn is_quantisation(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let kinds = ["Q"].iter().chain(&UNREAD);
    let of_blocks = kinds.filter_map(|kind| name.strip_prefix(kind));
    let is_digit = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    ["F32", "F16", "BF16", "FP32", "FP16"].contains(&name.as_str())
        || of_blocks.into_iter().any(is_digit)
}

/// Whether the dtype that a name tells isn't read.
fn is_unread(file: &str) -> bool {
    let quantisation = quantisation_of(file).unwrap_or_default().to_ascii_uppercase();
    UNREAD.iter().any(|kind| quantisation.starts_with(kind))
}

/// Whether a file turns pictures or sounds into vectors, beside a model.
pub fn is_projector(file: &str) -> bool {
    file.to_ascii_lowercase().contains("mmproj")
}

/// Whether a file is a part of a model, as `model-00001-of-00003.gguf`.
pub fn is_part(file: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let numbers = file.strip_suffix(EXTENSION).and_then(|stem| {
        let (rest, total) = stem.rsplit_once("-of-")?;
        Some((rest.rsplit_once('-')?.1, total))
    });
    numbers.is_some_and(|(number, total)| is_number(number) && is_number(total))
}

#[cfg(test)]
mod tests;
