//! Numbers that others published of the real weights, with where they stand
//! and how far a right implementation may be off: for users who have the weights.

mod files;

use crate::checkpoint::{Checkpoint, called};
use crate::device::{DeviceChoice, DeviceId};
use crate::embedder::{Embedder, EncodeOptions, Prompt};
use crate::error::Error;
use crate::hub::{HubOptions, model_path};
use crate::options::{Kind, Options};
use crate::reranker::{RankOptions, Reranker};
use crate::similarity::Similarity;
use qwen3::Dtype;
use qwen3_text::DEFAULT_TASK;
use std::fmt;
use std::path::Path;

pub use files::SHA256;

/// The models that numbers were published of.
pub const MODELS: [&str; 6] = [
    "Qwen/Qwen3-Embedding-0.6B",
    "Qwen/Qwen3-Embedding-4B",
    "Qwen/Qwen3-Embedding-8B",
    "Qwen/Qwen3-Reranker-0.6B",
    "Qwen/Qwen3-Reranker-4B",
    "Qwen/Qwen3-Reranker-8B",
];

/// A published number, and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was computed.
    pub what: String,
    /// Where the number stands.
    pub source: &'static str,
    /// The published number.
    pub expected: f64,
    /// The number found.
    pub found: f64,
    /// How far it may be off.
    pub tolerance: f64,
}

impl Check {
    /// Whether the number is right; NaN is not.
    pub fn ok(&self) -> bool {
        (self.found - self.expected).abs() <= self.tolerance
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, source, expected, found, tolerance } = self;
        write!(f, "{what}: {found:.6}, published {expected} ± {tolerance} ({source})")
    }
}

/// How far off, in float32 and in 16 bits.
type Tolerance = [f64; 2];

const CAPITAL: &str = "What is the capital of China?";
const GRAVITY: &str = "Explain gravity";
const BEIJING: &str = "The capital of China is Beijing.";
const FORCE: &str = "Gravity is a force that attracts two bodies towards each other. It gives weight to physical objects and is responsible for the movement of planets around the sun.";
const RED_PLANET: &str = "Which planet is known as the Red Planet?";
const PLANETS: [&str; 4] = [
    "Venus is often called Earth's twin because of its similar size and proximity.",
    "Mars, known for its reddish appearance, is often referred to as the Red Planet.",
    "Jupiter, the largest planet in our solar system, has a prominent red spot.",
    "Saturn, famous for its rings, is sometimes mistaken for the Red Planet.",
];
const DEEP_LEARNING: [&str; 2] = ["What is Deep Learning?", "Deep Learning is..."];

/// Which of [`MODELS`] a checkpoint has the shape of.
pub fn model_of(checkpoint: &Checkpoint) -> Option<&'static str> {
    let config = &checkpoint.config;
    let size = match (config.hidden_size, config.num_hidden_layers) {
        (1024, 28) => 0,
        (2560, 36) => 1,
        (4096, 36) => 2,
        _ => return None,
    };
    let of_kind = if checkpoint.kind == Kind::Embedding { 0 } else { 3 };
    Some(MODELS[of_kind + size])
}

/// Whether a model goes by the name of a published one: its hub id, a snapshot
/// in the hub's cache, or a folder or file named for it.
pub fn is_called(model: &str, path: &Path, published: &str) -> bool {
    let name = published.rsplit('/').next().unwrap_or(published);
    let snapshot = format!("models--{}", published.replace('/', "--"));
    let folder = called(path);
    model == published || folder == snapshot || folder == name
}

/// Computes everything that was published of `model` on a device.
///
/// # Errors
/// If nothing was, or the model doesn't load or compute.
pub fn check(model: &str, device: DeviceId, dtype: Dtype) -> Result<Vec<Check>, Error> {
    let device = DeviceChoice::Named(device);
    let options = Options { device, dtype: dtype.into(), ..Options::default() };
    let path = model_path(model, HubOptions::default(), &options.hooks)?;
    let checkpoint = Checkpoint::open(&path, None)?;
    let Some(published) = model_of(&checkpoint) else {
        return Err(Error::NotPublished { model: model.to_owned() });
    };
    let is_half = usize::from(dtype != Dtype::F32);
    let mut checks = Checks { is_half, checks: vec![] };
    if checkpoint.kind == Kind::Embedding {
        checks.embedding(published, &Embedder::load(model, &options)?)?;
    } else {
        checks.reranker(published, &Reranker::load(model, &options)?)?;
    }
    Ok(checks.checks)
}

struct Checks {
    is_half: usize,
    checks: Vec<Check>,
}

impl Checks {
    fn add(
        &mut self,
        what: String,
        source: &'static str,
        expected: f64,
        found: f64,
        tolerance: Tolerance,
    ) {
        let tolerance = tolerance[self.is_half];
        self.checks.push(Check { what, source, expected, found, tolerance });
    }

    fn embedding(&mut self, published: &str, model: &Embedder) -> Result<(), Error> {
        let card = "the model's card";
        let (matrix, tolerance) = match published {
            "Qwen/Qwen3-Embedding-0.6B" => (
                [
                    [0.7645568251609802, 0.14142508804798126],
                    [0.13549736142158508, 0.5999549627304077],
                ],
                [1e-4, 5e-3],
            ),
            // Of these two only four digits were published, of a dtype that isn't stated.
            "Qwen/Qwen3-Embedding-4B" => ([[0.7534, 0.1147], [0.0320, 0.6258]], [2e-3, 5e-3]),
            _ => ([[0.7493, 0.0751], [0.0880, 0.6318]], [2e-3, 5e-3]),
        };
        let options = EncodeOptions::default();
        let queries = model.encode_query([CAPITAL, GRAVITY], &options)?;
        let documents = model.encode_document([BEIJING, FORCE], &options)?;
        let found = Similarity::Cosine.matrix(&queries, &documents)?;
        for (query, (expected, found)) in matrix.iter().zip(found).enumerate() {
            for (document, (&expected, found)) in expected.iter().zip(found).enumerate() {
                let what =
                    format!("similarity of query {} and document {}", query + 1, document + 1);
                self.add(what, card, expected, found, tolerance);
            }
        }
        if published == MODELS[0] { self.smallest_embedding(model) } else { Ok(()) }
    }

    /// What was published of the 0.6B model alone.
    fn smallest_embedding(&mut self, model: &Embedder) -> Result<(), Error> {
        let source = "sentence-transformers: test_pretrained.py";
        let options = EncodeOptions::default();
        let query = model.encode_query([RED_PLANET], &options)?;
        let documents = model.encode_document(PLANETS, &options)?;
        let found = Similarity::Cosine.matrix(&query, &documents)?.concat();
        for (index, expected) in [0.4838, 0.69335, 0.58793, 0.6647].into_iter().enumerate() {
            let what = format!("similarity of the Red Planet and text {}", index + 1);
            // Computed in bfloat16 there, with a relative tolerance of 0.01.
            self.add(what, source, expected, found[index], [7e-3, 7e-3]);
        }

        let source = "text-embeddings-inference: test_qwen3__qwen3_cpu_*.snap";
        let raw = EncodeOptions { normalize: false, ..EncodeOptions::default() };
        let found = model.encode(DEEP_LEARNING, &raw)?;
        let first_eight = [
            [
                -1.5195851, -3.0843177, -1.0581057, -6.4716716, -1.6939588, 6.247706, -6.0047812,
                0.33277434,
            ],
            [
                -2.6450086,
                -0.2636502,
                -1.0401946,
                -6.530035,
                -0.020435907,
                4.766168,
                -5.8390155,
                0.51225257,
            ],
        ];
        let norms = [96.657151, 91.923988];
        for (text, (found, expected)) in found.iter().zip(first_eight).enumerate() {
            for (index, expected) in expected.into_iter().enumerate() {
                let what =
                    format!("number {index} of the hidden state of `{}`", DEEP_LEARNING[text]);
                // Two runs of theirs agree in 2e-5; float16 and float32 in 0.025.
                self.add(what, source, expected, f64::from(found.vector[index]), [1e-3, 0.2]);
            }
            let square: f64 = found.vector.iter().map(|&x| f64::from(x).powi(2)).sum();
            let what = format!("norm of the hidden state of `{}`", DEEP_LEARNING[text]);
            self.add(what, source, norms[text], square.sqrt(), [1e-3, 0.5]);
        }
        let cosines = [
            (1024, 0.9028871),
            (512, 0.9158229),
            (256, 0.9264554),
            (128, 0.9332299),
            (32, 0.9623099),
        ];
        for (dimensions, expected) in cosines {
            let [left, right] = [0, 1].map(|index| &found[index].vector[..dimensions]);
            let what = format!("cosine of both in {dimensions} dimensions");
            self.add(what, source, expected, Similarity::Cosine.of(left, right), [1e-5, 2e-3]);
        }

        let prompt = Prompt::Name("query".to_owned());
        let found =
            model.encode(["What is deep learning"], &EncodeOptions { prompt, ..options })?;
        let expected = [-0.02223216, -0.03601024, 0.00113771, -0.00686499, -0.06645694, 0.00158694];
        for (index, expected) in expected.into_iter().enumerate() {
            let what = format!("number {index} of the query `What is deep learning`");
            let found = f64::from(found[0].vector[index]);
            self.add(what, "text-embeddings-inference#668", expected, found, [1e-3, 2e-3]);
        }
        Ok(())
    }

    fn reranker(&mut self, published: &str, model: &Reranker) -> Result<(), Error> {
        let default = RankOptions::default();
        match published {
            "Qwen/Qwen3-Reranker-0.6B" => {
                let expected =
                    [-3.109297752380371, 7.120389938354492, -0.3787546157836914, 3.541637420654297];
                let source = "sentence-transformers: test_model.py";
                let pairs = PLANETS.map(|planet| (RED_PLANET, planet));
                self.log_odds(model, source, &pairs, &expected, [1e-4, 0.15])?;
                self.card(model, [7.625, -11.375], [0.1, 0.2])?;
                let expected = [0.9983008503913879, 0.9994982481002808, 0.999371349811554];
                let cities = ["Tianjin", "Beijing", "Shanghai"];
                let texts = cities.map(|city| format!("The capital of China is {city}."));
                let pairs = [0, 1, 2].map(|index| (CAPITAL, &texts[index][..]));
                self.scores(
                    model,
                    "QwenLM/Qwen3-Embedding#64",
                    &pairs,
                    &expected,
                    [1e-3; 2],
                    &default,
                )?;
                let pairs = [
                    ("法国首都是哪里？", "法国的首都是巴黎。"),
                    ("法国首都是哪里？", "德国的首都是柏林。"),
                    ("法国首都是哪里？", "香蕉是黄色的水果。"),
                ];
                let with_stop = RankOptions {
                    instruction: Some(format!("{DEFAULT_TASK}.")),
                    ..RankOptions::default()
                };
                let expected = [0.7981867777396212, 0.0002034269780552065, 4.637871638728972e-06];
                self.scores(model, "sglang#16403", &pairs, &expected, [1e-2, 2e-2], &with_stop)?;
                let expected = [
                    0.534599244594574,
                    0.2950335443019867,
                    0.5035554766654968,
                    0.12863068282604218,
                    0.2514777183532715,
                ];
                self.without_template(model, &expected)
            }
            "Qwen/Qwen3-Reranker-4B" => {
                self.card(model, [6.4375, -14.375], [0.15, 0.3])?;
                let expected = [
                    0.9393079280853271,
                    0.3121149241924286,
                    0.8970390558242798,
                    0.7601017951965332,
                    0.3377034068107605,
                ];
                self.without_template(model, &expected)
            }
            _ => {
                let query = "What is the price of coca cola?";
                let pairs = [
                    (query, "The price of coca cola is 400 dollars."),
                    (query, "Coca cola is my favorite drink"),
                    (query, "Sprite is my favorite drink"),
                    (query, "Qwen3 is powerful"),
                ];
                // Log-odds of the published probabilities, whose dtype and sampling aren't stated.
                let expected = [3.256, -9.226, -12.446, -10.711];
                self.log_odds(model, "QwenLM/Qwen3-Embedding#71", &pairs, &expected, [0.6; 2])?;
                let pairs = [(CAPITAL, BEIJING), (CAPITAL, FORCE)];
                let source = "vllm-ascend: qwen3_reranker.md";
                self.log_odds(model, source, &pairs, &[5.186, -14.216], [0.3, 0.4])?;
                let expected = [
                    0.7413903474807739,
                    0.5818279385566711,
                    0.6484195590019226,
                    0.8408876061439514,
                    0.4564562141895294,
                ];
                self.without_template(model, &expected)
            }
        }
    }

    /// What the cards of the rerankers give for the capital against both documents.
    fn card(
        &mut self,
        model: &Reranker,
        expected: [f64; 2],
        tolerance: Tolerance,
    ) -> Result<(), Error> {
        let pairs = [(CAPITAL, BEIJING), (CAPITAL, FORCE)];
        self.log_odds(model, "the model's card", &pairs, &expected, tolerance)
    }

    fn log_odds(
        &mut self,
        model: &Reranker,
        source: &'static str,
        pairs: &[(&str, &str)],
        expected: &[f64],
        tolerance: Tolerance,
    ) -> Result<(), Error> {
        let found = model.score(pairs, &RankOptions::default())?;
        for ((pair, &expected), found) in pairs.iter().zip(expected).zip(found) {
            self.add(
                format!("log-odds of `{}`", pair.1),
                source,
                expected,
                found.log_odds,
                tolerance,
            );
        }
        Ok(())
    }

    fn scores(
        &mut self,
        model: &Reranker,
        source: &'static str,
        pairs: &[(&str, &str)],
        expected: &[f64],
        tolerance: Tolerance,
        options: &RankOptions,
    ) -> Result<(), Error> {
        let found = model.score(pairs, options)?;
        for ((pair, &expected), found) in pairs.iter().zip(expected).zip(found) {
            self.add(format!("score of `{}`", pair.1), source, expected, found.score, tolerance);
        }
        Ok(())
    }

    /// Scores of bare pairs: the only ones that were published of every size.
    fn without_template(&mut self, model: &Reranker, expected: &[f64; 5]) -> Result<(), Error> {
        for (document, &expected) in
            ["北京", "西京", "南京", "东京", "面筋"].into_iter().zip(expected)
        {
            let found = qwen3::head::probability(model.plain_log_odds("中国首都在哪", document)?);
            let what = format!("score of `{document}` without a template");
            // Theirs differ among themselves by 0.014.
            self.add(what, "vllm#27857", expected, found, [2e-2, 3e-2]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_model_is_known_by_its_name() {
        let is = |model: &str| is_called(model, Path::new(model), MODELS[0]);
        assert!(is("Qwen/Qwen3-Embedding-0.6B"));
        assert!(is("/data/Qwen3-Embedding-0.6B"));
        assert!(is("/cache/models--Qwen--Qwen3-Embedding-0.6B/snapshots/97b0c6"));
        assert!(!is("/data/my-Qwen3-Embedding-0.6B-tuned"));
        assert!(!is("Qwen/Qwen3-Embedding-4B"));
        assert!(!is("/data/Qwen3-Embedding-0.6B/tuned"));
    }

    #[test]
    fn a_number_that_is_none_is_wrong() {
        let check = |found| {
            let (what, source) = (String::new(), "");
            Check { what, source, expected: 1.0, found, tolerance: 0.1 }.ok()
        };
        assert!(check(1.05) && !check(1.2) && !check(f64::NAN) && !check(f64::INFINITY));
    }
}
