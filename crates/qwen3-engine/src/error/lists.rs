//! Names in messages, and ways out.

/// As many names are told in one message.
const MAX_CHOICES: usize = 40;

/// What to take where a model has none of the files that were asked for.
pub fn instead(choices: &[String]) -> String {
    match choices {
        [] => "the model has no GGUF file; leave out what follows the colon".to_owned(),
        _ => format!("take {}", any_of(choices)),
    }
}

/// What to take in place of a file, if there is anything.
pub fn or_take(choices: &[String]) -> String {
    match choices {
        [] => String::new(),
        _ => format!("; take {}", any_of(choices)),
    }
}

/// Names to choose from.
pub fn any_of(choices: &[String]) -> String {
    let (shown, more) = choices.split_at(choices.len().min(MAX_CHOICES));
    let mut names: Vec<String> = shown.iter().map(|name| format!("`{name}`")).collect();
    if !more.is_empty() {
        names.push(format!("or one of {} more", more.len()));
    }
    names.join(", ")
}

/// What to do about NaN.
pub fn without_nan(dtype: qwen3::Dtype) -> &'static str {
    match dtype {
        qwen3::Dtype::F32 => "`qwen3 doctor --model` tells whether the weights hold such numbers",
        _ => {
            "use dtype f32, and if that doesn't help, `qwen3 doctor --model` tells whether the weights hold such numbers"
        }
    }
}

/// Names one after the other.
pub fn list(dtypes: &[qwen3::Dtype]) -> String {
    let names: Vec<String> = dtypes.iter().map(ToString::to_string).collect();
    names.join(", ")
}
