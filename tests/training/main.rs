//! What training computes, against PyTorch: the gradient of every weight, ten
//! steps of AdamW, and an adapter as PEFT has it.

mod case;

use case::{Case, with_objective};
use e2e::fixture;
use e2e::training_reference::{self as reference, Tensor, TrainingReference};
use qwen3_autodiff::{AdamW, Method, NamedTensor, OpenTraining, Projection, StepSettings, Trainer};
use std::collections::BTreeMap;

/// How far a gradient may be from PyTorch's in float64, relative to the tensor's largest
/// number. Most that was seen: 1.3e-5, on software Vulkan; PyTorch's own float32 is off by 9.7e-6.
const GRADIENT_TOLERANCE: f64 = 4e-5;

/// The largest difference, relative to the largest expected number.
fn off(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, &x| largest.max(f64::from(x).abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, f64::max) / largest
}

fn assert_gradients(
    case: &Case,
    found: Vec<NamedTensor>,
    expected: &BTreeMap<String, Tensor>,
    what: &str,
) {
    let found: BTreeMap<&str, &NamedTensor> =
        found.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut compared = 0;
    for (name, expected) in expected {
        let name = name.strip_prefix("model.").unwrap_or(name);
        let width = expected.shape.last().copied().unwrap();
        let (found, expected) = match name {
            // Only the rows of yes and no are trained.
            "lm_head.weight" => {
                let settings = case.reference.reranker.as_ref().unwrap();
                let rows = [settings.yes_id, settings.no_id].map(|id| id as usize * width);
                let rows = rows.map(|first| &expected.values[first..first + width]).concat();
                (&found["yes_no.weight"].values, rows)
            }
            _ => (&found[name].values, expected.values.clone()),
        };
        let off = off(found, &expected);
        println!("{what} {name}: {off:.1e}");
        assert!(off <= GRADIENT_TOLERANCE, "{what}, {name}: off by {off:e}");
        compared += 1;
    }
    assert_eq!(compared, found.len(), "{what}: gradients that PyTorch doesn't have");
}

fn check_gradients(device: &dyn OpenTraining, backend: &str) {
    let checkpoints = [
        ("tiny-embedding", &["linear", "distil", "info_nce"][..]),
        // With biases, and one key and value head for all.
        ("tiny-embedding-variant", &["linear"]),
        ("tiny-reranker-tied", &["yes_no"]),
        ("tiny-reranker-untied", &["yes_no"]),
    ];
    for (checkpoint, losses) in checkpoints {
        let case = Case::new(checkpoint);
        let trainer = case.load(device, Method::Full);
        for loss in losses {
            let expected = case.reference.gradients(loss);
            // At once, and with rows computed before (GradCache).
            for texts in [usize::MAX, 3] {
                with_objective(&case.reference, loss, &mut |objective| {
                    let (found_loss, found) =
                        trainer.gradients(&case.batches(texts), objective).unwrap();
                    let what = format!("{backend} {checkpoint} {loss} in batches of {texts}");
                    let expected_loss = case.reference.losses[*loss].loss;
                    let off = (found_loss - expected_loss).abs() / expected_loss.abs();
                    assert!(off < 1e-5, "{what}: {found_loss} for {expected_loss}");
                    assert_gradients(&case, found, &expected, &what);
                });
            }
        }
    }
}

#[test]
fn every_gradient_is_pytorchs() {
    check_gradients(&*qwen3_cpu::open_training(), "cpu");
    check_gradients(&*qwen3_ndarray::open_training(), "ndarray");
    match qwen3_wgpu::open_training(qwen3_wgpu::Api::Vulkan, 0) {
        Ok(device) => check_gradients(&*device, "vulkan"),
        Err(error) => println!("skipped on vulkan: {error}"),
    }
}

#[test]
fn negatives_of_other_pairs_count_where_asked() {
    let case = Case::new("tiny-embedding");
    let trainer = case.load(&*qwen3_cpu::open_training(), Method::Full);
    with_objective(&case.reference, "info_nce_all_documents", &mut |objective| {
        let (found, _) = trainer.gradients(&case.batches(usize::MAX), objective).unwrap();
        let expected = case.reference.losses["info_nce_all_documents"].loss;
        let other = case.reference.losses["info_nce"].loss;
        assert!((found - expected).abs() < 1e-5 * expected, "{found} for {expected}");
        assert!((other - expected).abs() > 1e-3 * expected, "they count for nothing");
    });
}

#[test]
fn ten_steps_of_adamw_are_pytorchs() {
    let case = Case::new("tiny-embedding");
    let adamw = case.reference.adamw.as_ref().unwrap();
    for (loss, run) in &adamw.runs {
        let mut trainer = case.load(&*qwen3_cpu::open_training(), Method::Full);
        let start: BTreeMap<String, Vec<f32>> =
            trainer.trained().into_iter().map(|tensor| (tensor.name, tensor.values)).collect();
        for (number, expected) in (1..).zip(&run.steps) {
            let settings = settings(adamw, expected.learning_rate, number);
            with_objective(&case.reference, loss, &mut |objective| {
                let batches = case.batches(usize::MAX);
                let found = trainer.step(&batches, objective, &settings, &|| false).unwrap();
                let off = (found.loss - expected.loss).abs();
                println!("{loss} step {number}: loss off by {off:.1e}");
                // Seen: 7.3e-6 at most: losses are differences of numbers around 20.
                assert!(off < 3e-5, "{loss}, step {number}: {found:?} for {expected:?}");
            });
        }
        let expected = case.reference.trained(loss, |name| start[name].clone());
        for tensor in trainer.trained() {
            let name = &tensor.name;
            let off = change_off(&tensor.values, &expected[name], &start[name]);
            println!("{loss} {name}: change off by {off:.1e}");
            // Small gradients become steps of the same size as large ones, in either direction.
            let allowed = 10.0 * run.float32_differences[name] + 1e-3;
            assert!(off <= allowed, "{loss}, {name}: off by {off:e} of {allowed:e}");
        }
    }
}

fn settings(adamw: &reference::AdamW, learning_rate: f64, step: u32) -> StepSettings {
    let adamw_of_step = AdamW {
        learning_rate,
        beta_1: adamw.betas[0],
        beta_2: adamw.betas[1],
        epsilon: adamw.epsilon,
        weight_decay: adamw.weight_decay,
        gradient_scale: 1.0,
        step,
    };
    StepSettings { adamw: adamw_of_step, max_gradient_norm: adamw.max_grad_norm }
}

/// The largest difference of a change from the expected one, relative to the largest change.
fn change_off(found: &[f32], expected: &[f64], start: &[f32]) -> f64 {
    let changes = expected.iter().zip(start).map(|(x, &start)| x - f64::from(start));
    let largest = changes.fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).abs());
    differences.fold(0.0, f64::max) / largest
}

fn lora() -> Method {
    let targets = vec![Projection::Q, Projection::V, Projection::Down];
    Method::Lora { rank: 4, alpha: 8.0, targets, seed: 1 }
}

#[test]
fn an_adapter_of_peft_gives_its_rows_and_gradients() {
    let reference = TrainingReference::read("lora");
    let case = Case { reference, ..Case::new("tiny-embedding") };
    let mut trainer = case.load(&*qwen3_cpu::open_training(), lora());
    let file = fixture("training").join("lora").join("adapter_model.safetensors");
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut state = trainer.moments();
    for (name, view) in file.iter() {
        let values = view.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let name = name.strip_prefix("base_model.model.").unwrap().to_owned();
        state.push(NamedTensor { name, shape: view.shape().to_vec(), values });
    }
    trainer.restore(&state).unwrap();
    let batches = case.batches(usize::MAX);
    let rows = trainer.rows(&batches[0], &|| false).unwrap();
    let off_rows = off(&rows, &case.reference.rows().values);
    // Seen: 7e-7.
    assert!(off_rows < 1e-5, "rows off by {off_rows:e}");
    with_objective(&case.reference, "linear", &mut |objective| {
        let (_, found) = trainer.gradients(&batches, objective).unwrap();
        let expected = case.reference.gradients("linear");
        let expected = expected.into_iter().map(|(name, tensor)| {
            (name.strip_prefix("base_model.model.").unwrap().to_owned(), tensor)
        });
        assert_gradients(&case, found, &expected.collect(), "lora");
    });
}

#[test]
fn adapters_begin_as_nothing_and_learn() {
    let case = Case::new("tiny-embedding");
    let (base, mut adapted) = (
        case.load(&*qwen3_cpu::open_training(), Method::Full),
        case.load(&*qwen3_cpu::open_training(), lora()),
    );
    let batches = case.batches(usize::MAX);
    let rows = |trainer: &dyn Trainer| trainer.rows(&batches[0], &|| false).unwrap();
    assert_eq!(rows(&*base), rows(&*adapted));
    let names: Vec<String> = adapted.trained().into_iter().map(|tensor| tensor.name).collect();
    assert!(names.iter().all(|name| name.contains(".lora_A.") || name.contains(".lora_B.")));
    let adamw = AdamW {
        learning_rate: 1e-2,
        beta_1: 0.9,
        beta_2: 0.98,
        epsilon: 1e-8,
        weight_decay: 0.0,
        gradient_scale: 1.0,
        step: 1,
    };
    let mut losses = vec![];
    for step in 1..=10 {
        let settings =
            StepSettings { adamw: AdamW { step, ..adamw }, max_gradient_norm: f64::INFINITY };
        with_objective(&case.reference, "distil", &mut |objective| {
            let step = adapted.step(&batches, objective, &settings, &|| false).unwrap();
            losses.push(step.loss);
        });
    }
    assert!(losses[9] < losses[0] - 0.01, "{losses:?}");
    assert_ne!(rows(&*base), rows(&*adapted));
}
