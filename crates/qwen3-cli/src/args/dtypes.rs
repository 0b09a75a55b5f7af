//! Help texts that list dtypes.

use qwen3_engine::DtypeChoice;

/// What `auto` is, where a model runs.
pub const OF_MODEL: &str = "the model's own, if the device can";

/// Such as `f32, bf16 or auto`, with `auto` explained.
pub fn listed(also: &[&str], auto: &str) -> String {
    let names = DtypeChoice::NAMED.map(|dtype| match dtype.is_blocks() {
        true => format!("{dtype} ({} bits)", dtype.bits() as u32),
        false => dtype.to_string(),
    });
    joined(names.into_iter().chain(also.iter().map(|name| (*name).to_owned())), auto)
}

/// The help of a flag for weights that other programs are to read.
#[cfg(feature = "train")]
pub fn written(auto: &str) -> String {
    let numbers = DtypeChoice::NAMED.into_iter().filter(|dtype| !dtype.is_blocks());
    let names = joined(numbers.map(|dtype| dtype.to_string()), auto);
    format!("Precision of the weights that are written: {names}")
}

fn joined(names: impl Iterator<Item = String>, auto: &str) -> String {
    let names = Vec::from_iter(names).join(", ");
    format!("{names} or {} ({auto})", DtypeChoice::Auto)
}

#[cfg(test)]
mod tests {
    use crate::args::Arguments;
    use clap::CommandFactory;
    use qwen3_engine::DtypeChoice;

    #[test]
    fn every_help_of_dtype_names_all_of_them() {
        let mut found = 0;
        for command in Arguments::command().get_subcommands() {
            for flag in command.get_arguments().filter(|flag| flag.get_id() == "dtype") {
                let help = flag.get_help().unwrap().to_string();
                for dtype in DtypeChoice::NAMED {
                    assert!(help.contains(dtype.name()), "{}: {help}", command.get_name());
                }
                found += 1;
            }
        }
        assert!(found >= 6, "{found}");
    }
}
