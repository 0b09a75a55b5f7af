//! The model inside the program: a portable file that no path leads to.

use super::portable::Portable;
use crate::error::Error;
use std::path::Path;

/// The name of the model that is inside of this build: [`crate::Source::new`] takes it.
/// `None`: the feature `mini` is switched off, and there is none.
pub const MINI: Option<&str> = if cfg!(feature = "mini") { Some(NAME) } else { None };

/// What it is called, also where there is none: the name then leads nowhere else.
pub const NAME: &str = "mini";

/// The model. Its checksums are compared as those of every portable file are.
///
/// # Errors
/// If there is none in this build, or the program's own file is damaged.
pub fn portable() -> Result<Portable, Error> {
    #[cfg(feature = "mini")]
    return Portable::of_program(qwen3_mini::MODEL, Path::new(NAME));
    #[cfg(not(feature = "mini"))]
    return Err(Error::NoMini);
}

/// What stands in messages for the path of a model's folder or file; a part of the
/// program has none.
pub fn place(path: Option<&Path>) -> &Path {
    path.unwrap_or(Path::new(NAME))
}

#[cfg(test)]
mod tests {
    use crate::files::Checkpoint;
    use crate::progress::Hooks;

    #[cfg(feature = "mini")]
    #[test]
    fn every_weight_is_where_the_program_has_it() {
        let program = qwen3_mini::MODEL.as_ptr_range();
        let checkpoint = Checkpoint::open("mini", &Hooks::default()).unwrap();
        for stored in checkpoint.weights.tensors().unwrap() {
            let data = checkpoint.weights.tensor(stored.name, stored.shape, stored.dtype).unwrap();
            let weight = data.as_bytes().as_ptr_range();
            assert!(program.start < weight.start && weight.end < program.end, "{}", stored.name);
        }
    }

    #[cfg(not(feature = "mini"))]
    #[test]
    fn a_build_without_it_says_so() {
        let hooks = Hooks::default();
        let opened = Checkpoint::open("mini", &hooks).err();
        let located = crate::Source::new("mini").revision("v2").locate(&hooks).err();
        for error in [opened, located] {
            assert!(matches!(error, Some(crate::Error::NoMini)), "{error:?}");
        }
    }
}
