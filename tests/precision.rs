//! Which precision a model is held in. That each is right is what `parity.rs` checks.

use e2e::{embedder, fixture, options};
use qwen3_engine::internals::{Stage, Step};
use qwen3_engine::{DeviceId, Dtype, Embedder, Error};
use qwen3_proof::reference::Reference;

#[test]
fn the_overflow_fixture_leaves_the_range_of_float16() {
    let reference = Reference::read(&fixture("tiny-embedding-overflow"), usize::MAX).unwrap();
    let model = embedder("tiny-embedding-overflow", "cpu", "f16");
    let stages =
        model.session().stages(&[&reference.cases[3].input_ids], &reference.cases[3].rows).unwrap();
    let is_output = |stage: &Stage| *stage == Stage::Layer(0, Step::Output);
    let (_, hidden) = stages.iter().find(|(stage, _)| is_output(stage)).unwrap();
    let largest = hidden.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    assert!(largest > 2.0 * 65504.0, "{largest}");
}

#[test]
fn auto_keeps_the_dtype_of_the_file_where_the_device_can() {
    for (name, device, expected) in [
        ("tiny-embedding", "cpu", Dtype::Bf16),
        ("tiny-embedding-variant", "cpu", Dtype::F16),
        ("tiny-embedding", "ndarray", Dtype::F32),
    ] {
        assert_eq!(embedder(name, device, "auto").dtype(), expected, "{name} on {device}");
    }
}

#[test]
fn a_dtype_that_the_device_lacks_is_an_error() {
    let folder = fixture("tiny-embedding");
    let error = Embedder::load(&folder, &options("ndarray", "bf16")).err();
    let Some(Error::DtypeUnsupported { device, dtype, supported }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((device, dtype), (DeviceId::NdArray, Dtype::Bf16));
    assert_eq!(supported, [Dtype::F32]);
}
