//! One process that measures one device and dtype, so that peak memory and
//! cold start are its own. Prints a line of JSON for each shape.

use crate::error::Error;
use clap::Args;
use qwen3_engine::internals::peak_memory_bytes;
use qwen3_engine::{DeviceChoice, DtypeChoice, Embedder, EncodeOptions, Options};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

/// What to measure; `peer.py` takes the same flags.
#[derive(Args, Clone, Debug)]
pub struct Request {
    /// Folder of the checkpoint
    #[arg(long)]
    pub model: PathBuf,
    /// Where it runs
    #[arg(long)]
    pub device: DeviceChoice,
    /// Precision of the weights
    #[arg(long)]
    pub dtype: DtypeChoice,
    /// How long, and on what.
    #[command(flatten)]
    pub timing: Timing,
}

/// What is timed, and how often.
#[derive(Args, Clone, Debug)]
pub struct Timing {
    /// Texts and tokens of each, such as 8x128, or mixed (64 texts of 8 to 512 tokens)
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1x16,1x128,1x512,1x2048,8x128,8x512,32x128,16x512,mixed"
    )]
    pub shapes: Vec<String>,
    /// Timed runs of a shape, after one to warm up
    #[arg(long, default_value_t = 3)]
    pub repeats: usize,
    /// Fewer repeats, or none, where a shape would take longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub max_seconds: f64,
}

impl Request {
    /// What has to be typed for it.
    pub fn flags(&self) -> Vec<OsString> {
        let Timing { shapes, repeats, max_seconds } = &self.timing;
        let flags: [(&str, OsString); 6] = [
            ("--model", self.model.clone().into()),
            ("--device", self.device.to_string().into()),
            ("--dtype", self.dtype.to_string().into()),
            ("--shapes", shapes.join(",").into()),
            ("--repeats", repeats.to_string().into()),
            ("--max-seconds", max_seconds.to_string().into()),
        ];
        flags.into_iter().flat_map(|(name, value)| [name.into(), value]).collect()
    }
}

/// What was measured of one shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Texts and tokens of each.
    pub shape: String,
    /// Tokens in all, padding not counted.
    pub tokens: usize,
    /// Runs that were timed, after one that wasn't.
    pub repeats: usize,
    /// Median of the runs.
    pub median_seconds: f64,
    /// The fastest run.
    pub min_seconds: f64,
    /// The slowest run.
    pub max_seconds: f64,
    /// Tokens by the median.
    pub tokens_per_second: f64,
    /// From the start of the process to the first vector.
    pub cold_start_seconds: f64,
    /// The most memory of the process so far; not a GPU's own.
    pub peak_bytes: Option<u64>,
}

/// Lengths of the texts of a shape: `8x128`, or `mixed`, 64 lengths from 8 to 512.
///
/// # Errors
/// If it is neither.
pub fn lengths(shape: &str) -> Result<Vec<usize>, Error> {
    if shape == "mixed" {
        return Ok((0..64).map(|index| 8 + index * 211 % 505).collect());
    }
    let parts = shape.split_once('x').and_then(|(texts, tokens)| {
        let parts = (texts.parse::<usize>().ok()?, tokens.parse::<usize>().ok()?);
        (parts.0 > 0 && parts.1 > 0).then_some(parts)
    });
    match parts {
        Some((texts, tokens)) => Ok(vec![tokens; texts]),
        None => Err(Error::Argument(format!(
            "`{shape}` is no shape; write texts and tokens of each as in 8x128, or mixed"
        ))),
    }
}

/// Ids of a text: words of the random checkpoint's tokenizer, and its end token.
fn text(length: usize, seed: usize) -> Vec<u32> {
    let end = 151_643;
    let ids = (0..length - 1).map(|index| ((index * 7919 + seed * 104_729 + 1) % end) as u32);
    ids.chain([end as u32]).collect()
}

/// Measures, and prints a line for each shape.
///
/// # Errors
/// If the model doesn't load or compute.
pub fn measure(request: &Request) -> Result<(), Error> {
    let started = Instant::now();
    let options = Options::default().device(request.device).dtype(request.dtype);
    let model = Embedder::load(&request.model, &options)?;
    let encode = |texts: &[Vec<u32>]| -> Result<f64, Error> {
        let started = Instant::now();
        model.encode(texts, &EncodeOptions::default())?;
        Ok(started.elapsed().as_secs_f64())
    };
    let first = encode(&[text(16, 0)])?;
    let cold_start_seconds = started.elapsed().as_secs_f64();
    let mut seconds_per_token = first / 16.0;
    let Timing { shapes, repeats, max_seconds } = &request.timing;
    for shape in shapes {
        let lengths = lengths(shape)?;
        let tokens: usize = lengths.iter().sum();
        // What is known is a shorter shape's speed, or a cold one's: an upper bound.
        if tokens as f64 * seconds_per_token > *max_seconds {
            eprintln!("{shape} left out: it would take longer than {max_seconds} s");
            continue;
        }
        let texts: Vec<Vec<u32>> =
            lengths.iter().enumerate().map(|(seed, &length)| text(length, seed)).collect();
        let warm_up = encode(&texts)?;
        let mut seconds = vec![];
        while seconds.is_empty()
            || (seconds.len() < *repeats && seconds.iter().sum::<f64>() < *max_seconds)
        {
            seconds.push(encode(&texts)?);
        }
        seconds.sort_by(f64::total_cmp);
        let measured = Measured::of(shape, tokens, &seconds, cold_start_seconds);
        seconds_per_token = warm_up.min(measured.median_seconds) / tokens as f64;
        println!("{}", serde_json::to_string(&measured).expect("numbers and a string"));
    }
    Ok(())
}

impl Measured {
    /// From the sorted seconds of the runs.
    fn of(shape: &str, tokens: usize, seconds: &[f64], cold_start_seconds: f64) -> Self {
        let median = median(seconds);
        Self {
            shape: shape.to_owned(),
            tokens,
            repeats: seconds.len(),
            median_seconds: median,
            min_seconds: seconds[0],
            max_seconds: seconds[seconds.len() - 1],
            tokens_per_second: tokens as f64 / median,
            cold_start_seconds,
            peak_bytes: peak_memory_bytes(),
        }
    }
}

/// The middle one, or the mean of the two beside the middle.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }

    #[test]
    fn shapes_are_texts_and_tokens() {
        assert_eq!(lengths("3x5").unwrap(), [5, 5, 5]);
        let mixed = lengths("mixed").unwrap();
        assert_eq!(
            (mixed.len(), mixed.iter().min(), mixed.iter().max()),
            (64, Some(&8), Some(&503))
        );
        for bad in ["", "x", "3x", "0x5", "5x0", "3x5x1", "-1x2"] {
            assert!(lengths(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_ends_with_the_end_token() {
        assert_eq!(text(1, 0), [151_643]);
        let ids = text(500, 9);
        assert_eq!((ids.len(), ids.last()), (500, Some(&151_643)));
        assert!(ids[..499].iter().all(|&id| id < 151_643));
    }
}
