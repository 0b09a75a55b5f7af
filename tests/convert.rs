//! A converted file is the model, to the last bit, or it is refused.

use e2e::{changed, devices_here, fixture, options};
use qwen3_engine::{
    Checkpoint, ConvertOptions, Converted, Dtype, DtypeChoice, Embedder, EncodeOptions, Error,
    Hooks, Kind, Layout, RankOptions, Reranker, convert,
};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEXTS: [&str; 3] = ["What is the capital of China?", "", "万有引力让苹果落向地面。"];
const PAIRS: [(&str, &str); 2] = [("Explain gravity", "Apples fall."), ("yes", "no")];

fn converted(name: &str, options: &ConvertOptions) -> (TempDir, PathBuf, Converted) {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("model.qwen3");
    let converted = convert(fixture(name), &out, options).unwrap();
    (folder, out, converted)
}

fn vectors(model: &Path, device: &str, dtype: &str) -> Vec<Vec<f32>> {
    let model = Embedder::load(model, &options(device, dtype)).unwrap();
    let embeddings = model.encode_query(TEXTS, &EncodeOptions::default()).unwrap();
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

fn scores(model: &Path, device: &str, dtype: &str) -> Vec<f64> {
    let model = Reranker::load(model, &options(device, dtype)).unwrap();
    let scores = model.score(PAIRS, &RankOptions::default()).unwrap();
    scores.into_iter().map(|score| score.log_odds).collect()
}

#[test]
fn embeddings_are_those_of_the_source_bit_for_bit() {
    for name in ["tiny-embedding", "tiny-embedding-variant", "tiny-embedding-overflow"] {
        for dtype in ["f32", "bf16", "f16", "q8_0", "q4_0"] {
            let asked = ConvertOptions::default().dtype(dtype.parse::<DtypeChoice>().unwrap());
            let (_folder, out, _) = converted(name, &asked);
            assert_eq!(
                vectors(&out, "cpu", "auto"),
                vectors(&fixture(name), "cpu", dtype),
                "{dtype}"
            );
        }
        let (_folder, out, made) = converted(name, &ConvertOptions::default());
        assert_eq!(made.provenance.kind, Kind::Embedding);
        assert_eq!(made.bytes, fs::metadata(&out).unwrap().len());
        for device in devices_here() {
            assert_eq!(vectors(&out, device, "auto"), vectors(&fixture(name), device, "auto"));
        }
    }
}

/// Linear layers are stored as strips, and brought back into rows where a device takes none.
#[test]
fn strips_are_the_source_bit_for_bit_on_every_device() {
    let source = fixture("tiny-embedding-variant");
    for dtype in ["q8_0", "q4_0"] {
        let asked = ConvertOptions::default().dtype(dtype.parse::<DtypeChoice>().unwrap());
        let (folder, out, _) = converted("tiny-embedding-variant", &asked);
        let made = Checkpoint::open(&out, &Hooks::default()).unwrap();
        assert_eq!(made.layout().unwrap(), Layout::Strips);
        for device in devices_here() {
            let expected = vectors(&source, device, dtype);
            assert_eq!(vectors(&out, device, "auto"), expected, "{dtype} on {device}");
        }
        // As numbers, and those as blocks again.
        let again = folder.path().join("again.qwen3");
        convert(&*out, &again, &ConvertOptions::default().dtype(Dtype::F32)).unwrap();
        assert_eq!(vectors(&again, "cpu", "auto"), vectors(&out, "cpu", "f32"), "{dtype}");
        // A copy: auto keeps the layout.
        let copy = folder.path().join("copy.qwen3");
        convert(&*out, &copy, &ConvertOptions::default()).unwrap();
        let copied = Checkpoint::open(&copy, &Hooks::default()).unwrap();
        assert_eq!(copied.layout().unwrap(), Layout::Strips);
        assert_eq!(vectors(&copy, "cpu", "auto"), vectors(&out, "cpu", "auto"), "{dtype}");
    }
}

#[test]
fn scores_are_those_of_the_source_bit_for_bit() {
    for name in ["tiny-reranker-tied", "tiny-reranker-untied", "tiny-seq-cls"] {
        let trims = if name == "tiny-seq-cls" { &[false][..] } else { &[false, true] };
        for (&trim_head, dtype) in
            trims.iter().flat_map(|trim| [(trim, "auto"), (trim, "f16"), (trim, "q8_0")])
        {
            let dtype_choice: DtypeChoice = dtype.parse().unwrap();
            let asked = ConvertOptions::default().dtype(dtype_choice).trim_head(trim_head);
            let (_folder, out, made) = converted(name, &asked);
            let found = scores(&out, "cpu", dtype);
            assert_eq!(found, scores(&fixture(name), "cpu", dtype), "{name} {dtype} {trim_head}");
            assert_eq!(made.provenance.kind == Kind::Reranker, name != "tiny-seq-cls");
        }
    }
}

#[test]
fn a_trimmed_head_is_two_rows() {
    let whole = converted("tiny-reranker-untied", &ConvertOptions::default());
    let asked = ConvertOptions::default().trim_head(true);
    let trimmed = converted("tiny-reranker-untied", &asked);
    // lm_head.weight, 640 rows of 32 numbers in bfloat16, and its entry in the header.
    assert!(whole.2.bytes - trimmed.2.bytes >= 640 * 32 * 2);
    assert_eq!(whole.2.tensors, trimmed.2.tensors + 1);
}

#[test]
fn a_converted_file_can_be_converted_again() {
    let (_folder, first, made) = converted("tiny-embedding-variant", &ConvertOptions::default());
    let folder = TempDir::new().unwrap();
    let second = folder.path().join("again.qwen3");
    let asked = ConvertOptions::default().dtype(Dtype::F32);
    let again = convert(first, &second, &asked).unwrap();
    assert_eq!(
        vectors(&second, "cpu", "f32"),
        vectors(&fixture("tiny-embedding-variant"), "cpu", "f32")
    );
    let sources = |converted: &Converted| converted.provenance.sources.clone();
    assert_eq!(sources(&again).len(), 1);
    let mut names: Vec<String> = sources(&made).into_keys().collect();
    names.retain(|name| name.ends_with(".safetensors"));
    assert_eq!(names, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    assert!(sources(&made).values().all(|digest| digest.len() == 64));
}

fn refused(path: &Path) -> String {
    let error = Checkpoint::open(path, &Hooks::default()).err();
    error.unwrap_or_else(|| panic!("{} must be refused", path.display())).to_string()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (folder, out, _) = converted("tiny-reranker-tied", &ConvertOptions::default());
    let whole = fs::read(&out).unwrap();
    let flipped = folder.path().join("flipped.qwen3");
    // Every byte of the start and the end, and some of all the others.
    let ends = (0..300).chain(whole.len() - 300..whole.len());
    for at in ends.chain((300..whole.len() - 300).step_by(53)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&flipped, bytes).unwrap();
        let options = options("cpu", "auto");
        let error = Reranker::load(&flipped, &options).err();
        let error = error.unwrap_or_else(|| panic!("byte {at} was flipped")).to_string();
        let names_the_file = error.contains("flipped.qwen3");
        assert!(names_the_file && error.contains("; "), "byte {at}: {error}");
    }
}

#[test]
fn a_file_cut_short_or_grown_is_refused() {
    let (folder, out, _) = converted("tiny-embedding", &ConvertOptions::default());
    let whole = fs::read(&out).unwrap();
    let cut = folder.path().join("cut.qwen3");
    for length in [0, 1, 8, 100, 1000, whole.len() / 2, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).unwrap();
        let error = Embedder::load(&cut, &options("cpu", "auto")).err().unwrap();
        let error = error.to_string();
        assert!(error.contains("complete") || error.contains("damaged"), "{length}: {error}");
    }
    fs::write(&cut, [&whole[..], b"x"].concat()).unwrap();
    assert!(refused(&cut).contains("damaged"));
}

#[test]
fn another_version_is_refused_with_the_way_out() {
    let (_folder, out, _) = converted("tiny-embedding", &ConvertOptions::default());
    let mut bytes = fs::read(&out).unwrap();
    let key = b"\"version\":\"1\"";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[at + key.len() - 2] = b'7';
    fs::write(&out, bytes).unwrap();
    let error = refused(&out);
    let expected = "has format version 7, this program reads version 1; convert the model again";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn nothing_is_replaced_unless_asked_and_nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("model.qwen3");
    fs::write(&out, "precious").unwrap();
    let model = fixture("tiny-embedding");
    let model = model.to_str().unwrap();
    let error = convert(model, &out, &ConvertOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    let trim = ConvertOptions::default().trim_head(true).force(true);
    assert!(matches!(convert(model, &out, &trim), Err(Error::TrimHead { .. })));
    let cancelled = ConvertOptions::default().force(true).hooks(Hooks::default());
    cancelled.hooks.cancel.cancel();
    assert!(matches!(convert(model, &out, &cancelled), Err(Error::Cancelled)));
    let broken = changed("tiny-embedding", |folder| {
        let config = fs::read_to_string(folder.join("config.json")).unwrap();
        let config = config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        fs::write(folder.join("config.json"), config).unwrap();
    });
    let force = ConvertOptions::default().force(true);
    let error = convert(broken.path(), &out, &force).unwrap_err().to_string();
    assert!(error.contains("no place in the model"), "{error}");
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file");
    convert(model, &out, &force).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file");
    assert_eq!(vectors(&out, "cpu", "auto").len(), TEXTS.len());
    assert!(matches!(convert(model, folder.path(), &force), Err(Error::Exists { .. })));
    let nowhere = folder.path().join("no/such/folder/model.qwen3");
    assert!(matches!(convert(model, &nowhere, &force), Err(Error::Write { .. })));
}
