//! The reader against the checkpoints and its own files.

use super::*;

const CHECKPOINTS: [&str; 4] =
    ["tiny-embedding", "tiny-embedding-variant", "tiny-reranker-tied", "tiny-reranker-untied"];

/// The parameters of a fixture: their shapes and, of f32 and bf16, their numbers.
fn parameters(folder: &str) -> BTreeMap<String, Tensor> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(fixture(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.contains("model") && name.ends_with(".safetensors") {
            let bytes = std::fs::read(&path).unwrap();
            for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
                let bf16 = |b: &[u8]| f32::from_le_bytes([0, 0, b[0], b[1]]);
                let values = match view.dtype() {
                    Dtype::BF16 => view.data().chunks_exact(2).map(bf16).collect(),
                    _ => vec![],
                };
                found.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), values });
            }
        }
    }
    found
}

fn shapes(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<&String, &Vec<usize>> {
    tensors.iter().map(|(name, tensor)| (name, &tensor.shape)).collect()
}

#[test]
fn every_parameter_of_a_checkpoint_has_a_gradient_of_its_shape() {
    for checkpoint in CHECKPOINTS {
        let reference = TrainingReference::read(checkpoint);
        let parameters = parameters(checkpoint);
        for (name, loss) in &reference.losses {
            if name == "info_nce_all_documents" {
                continue;
            }
            let gradients = reference.gradients(name);
            assert_eq!(shapes(&gradients), shapes(&parameters), "{checkpoint}, {name}");
            assert!(gradients.keys().eq(loss.float32_differences.keys()), "{checkpoint}, {name}");
        }
    }
}

#[test]
fn every_tensor_of_the_adapter_has_a_gradient_of_its_shape() {
    let gradients = TrainingReference::read("lora").gradients("linear");
    assert_eq!(shapes(&gradients), shapes(&parameters("training/lora")));
    assert!(gradients.keys().any(|name| name.ends_with("0.mlp.down_proj.lora_B.weight")));
}

#[test]
fn rows_of_tokens_that_are_not_used_have_no_gradient() {
    let reference = TrainingReference::read("tiny-embedding");
    let gradients = reference.gradients("distil");
    let rows = gradients["embed_tokens.weight"].values.chunks_exact(32);
    for (token, row) in rows.enumerate() {
        let used = reference.input_ids.iter().flatten().any(|id| *id as usize == token);
        assert_eq!(row.iter().any(|value| *value != 0.0), used, "token {token}");
    }
}

#[test]
fn the_linear_loss_is_that_of_the_rows_and_directions() {
    for name in ["tiny-embedding", "tiny-embedding-variant", "lora"] {
        let reference = TrainingReference::read(name);
        let pairs = reference.rows().values.iter().zip(&reference.directions().values);
        let loss: f64 = pairs.map(|(row, by)| f64::from(*row) * f64::from(*by)).sum();
        assert!((loss - reference.losses["linear"].loss).abs() < 1e-5, "{name}: {loss}");
    }
    let reference = TrainingReference::read("tiny-embedding");
    assert_eq!(reference.row_gradient("linear"), reference.directions());
}

#[test]
fn texts_are_as_many_as_the_pairs_say() {
    let reference = TrainingReference::read("tiny-embedding");
    let EmbeddingSettings { n_pairs, n_negatives, .. } = reference.embedding.as_ref().unwrap();
    let n_texts = n_pairs * (2 + n_negatives);
    assert_eq!(reference.input_ids.len(), n_texts);
    for tensor in [reference.rows(), reference.targets(), reference.row_gradient("info_nce")] {
        assert_eq!(tensor.shape, [n_texts, 32]);
    }
    let reranker = TrainingReference::read("tiny-reranker-tied");
    let settings = reranker.reranker.as_ref().unwrap();
    assert_eq!(reranker.input_ids.len(), settings.target_probabilities.len());
}

#[test]
fn a_row_that_is_not_used_only_decays() {
    let reference = TrainingReference::read("tiny-embedding");
    let start = parameters("tiny-embedding");
    let adamw = reference.adamw.as_ref().unwrap();
    for (loss, run) in &adamw.runs {
        let trained = reference.trained(loss, |name| start[name].values.clone());
        assert!(trained.keys().eq(start.keys()));
        let decayed: f64 =
            run.steps.iter().map(|step| 1.0 - step.learning_rate * adamw.weight_decay).product();
        let last = start["embed_tokens.weight"].values.len() - 1;
        let (before, after) =
            (start["embed_tokens.weight"].values[last], trained["embed_tokens.weight"][last]);
        assert!((after - f64::from(before) * decayed).abs() < 1e-12);
        let norm = (&start["norm.weight"].values, &trained["norm.weight"]);
        let most = adamw.peak_learning_rate * run.steps.len() as f64;
        for (before, after) in norm.0.iter().zip(norm.1) {
            let change = (after - f64::from(*before)).abs();
            assert!(change > 0.0 && change < most, "{loss}: {change}");
        }
    }
}

#[test]
#[should_panic(expected = "no tensor `cosine.…`")]
fn a_loss_that_was_not_recorded_is_named() {
    TrainingReference::read("tiny-embedding").gradients("cosine");
}
