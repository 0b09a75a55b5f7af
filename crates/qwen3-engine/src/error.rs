//! Everything that can go wrong, as values.

mod blame;
mod lists;
mod option_name;

use crate::choices::Kind;
use crate::device::id::DeviceId;
use lists::{any_of, instead, list, or_take, without_nan};
use std::path::PathBuf;

pub use option_name::OptionName;

/// What a library said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint or a batch is wrong.
    #[error(transparent)]
    Model(qwen3::Error),

    /// The tokenizer's files or a text are wrong.
    #[error(transparent)]
    Text(#[from] qwen3_text::Error),

    /// One of the texts of a call is refused.
    #[error("input {input}: {reason}")]
    Input { input: usize, reason: qwen3_text::Error },

    /// A folder that is no model's.
    #[error(
        "the folder `{folder}` has no `config.json`, so it is not a model's folder; download the model with all of its files"
    )]
    NotAModel { folder: PathBuf },

    /// A folder of GGUF files, each of which is a model.
    #[error("the folder `{folder}` is no model, but it has GGUF files, which are; name one: {}", any_of(.files))]
    GgufInFolder { folder: PathBuf, files: Vec<String> },

    /// An adapter, with or without the model that it is for.
    #[error(
        "`{file}` is an adapter (LoRA or the like), which is not applied here; merge it into the model with `merge_and_unload()` of PEFT and use the saved result, or remove the file if that is done"
    )]
    Adapter { file: PathBuf },

    /// Weights in another format, and none in ours.
    #[error(
        "`{file}` is not read, only `model.safetensors` or shards with their index; save the model with `save_pretrained`, or download its safetensors files"
    )]
    OtherWeights { file: PathBuf },

    /// Something in a model that this engine doesn't compute.
    #[error(
        "`{path}` asks for {what}, which this engine doesn't compute; it computes `Transformer`, `Pooling` of the last token and `Normalize` for embeddings, `Transformer` and `LogitScore` for rerankers; run this model with sentence-transformers, or take one without it"
    )]
    Modules { path: PathBuf, what: String },

    /// A pooling that this engine doesn't compute.
    #[error(
        "`{path}` asks for pooling by `{modes}`, which is not supported; this engine takes the last token (`lasttoken`), as published Qwen3 models do"
    )]
    Pooling { path: PathBuf, modes: String },

    /// A file that is no model.
    #[error(
        "`{file}` is neither a GGUF file, nor one that `convert` wrote, nor a file of a model's folder; pass the folder, or check that the file is complete"
    )]
    NotAModelFile { file: PathBuf },

    /// A portable file of another version.
    #[error(
        "`{path}` has format version {found}, this program reads version {known}; convert the model again with this program, or use the program that wrote the file"
    )]
    PortableVersion { path: PathBuf, found: u64, known: u64 },

    /// A portable file that isn't as it was written.
    #[error("`{path}` is damaged: {what}; copy it again, or convert the model again")]
    PortableDamaged { path: PathBuf, what: String },

    /// Converting would replace something.
    #[error("`{path}` exists; write to another path, or allow to replace the file with `force`")]
    Exists { path: PathBuf },

    /// A name that says that the file is of another format.
    #[error(
        "`{path}` would be a safetensors file with the ending of GGUF, which isn't written; give it the ending `.safetensors`"
    )]
    GgufOut { path: PathBuf },

    /// A file would replace one that it is made of.
    #[error("`{path}` is a file of the model itself; write to another one")]
    OwnSource { path: PathBuf },

    /// There isn't enough room for a file.
    #[error("`{path}` needs {} MiB, {} MiB are free on its disk; write to another disk", .needed >> 20, .free >> 20)]
    DiskFull { path: PathBuf, needed: u64, free: u64 },

    /// A file can't be written.
    #[error("can't write `{path}`")]
    Write { path: PathBuf, source: std::io::Error },

    /// No such set of vector instructions.
    #[error("{message}")]
    UnknownIsa { message: String },

    /// Only a reranker has rows for yes and no.
    #[error(
        "only the head of a reranker can be trimmed, this model looks like {kind}; leave `trim_head` out"
    )]
    TrimHead { kind: Kind },

    /// The model can't be found.
    #[error(
        "`{model}` is neither a folder with a config.json, nor a converted or GGUF file, nor a model on the hub (`owner/name`, or `owner/name:Q8_0` for one of its GGUF files)"
    )]
    NoSuchModel { model: String },

    /// A file that isn't there, by a path that could be a name on the hub.
    #[error(
        "there is no file `{file}`; check the path, or name a GGUF file on the hub after a colon, as in `owner/name:Q8_0`"
    )]
    NoSuchFile { file: PathBuf },

    /// A repository on the hub without a file to begin with.
    #[error(
        "`{model}` has neither a config.json nor a GGUF file on the hub, so it is no model that can be read"
    )]
    NotAModelOnHub { model: String },

    /// The name of the model inside the program, and there is none.
    #[error(
        "there is no model inside of this program, it was built without the feature `mini`; build with it, or write `./mini` for a folder of that name"
    )]
    NoMini,

    /// The model inside the program has no history.
    #[error(
        "`mini` is inside the program and has no revision `{revision}`; leave the revision out, or write `./mini` for a folder of that name"
    )]
    MiniRevision { revision: String },

    /// Files of a model that has none.
    #[error(
        "`{model}` is inside the program, so it has no folder and needs no download; `convert` writes it as a file"
    )]
    NoFiles { model: String },

    /// Not in the cache, and downloading is switched off.
    #[error(
        "`{model}` is not in the cache at `{cache}` and HF_HUB_OFFLINE is set; unset it, or copy its files into a folder and pass that folder"
    )]
    Offline { model: String, cache: PathBuf },

    /// A model on the hub has no such GGUF file.
    #[error("`{model}` is not on the hub: {}", instead(.choices))]
    NoSuchGguf { model: String, choices: Vec<String> },

    /// The cache has other GGUF files of a model, and downloading is switched off.
    #[error("`{model}` is not in the cache and HF_HUB_OFFLINE is set; unset it, or take {}", any_of(.choices))]
    GgufNotCached { model: String, choices: Vec<String> },

    /// A name that several GGUF files of a model on the hub have.
    #[error("`{model}` means several GGUF files; take {}", any_of(.choices))]
    SeveralGguf { model: String, choices: Vec<String> },

    /// A GGUF file on the hub whose name says a dtype that isn't read.
    #[error("`{file}` of `{model}` is in a dtype that is not read{}", or_take(.choices))]
    GgufDtype { model: String, file: String, choices: Vec<String> },

    /// A GGUF file that was cut into parts.
    #[error(
        "`{file}` of `{model}` is one of the parts of a GGUF file, which are not read; download all of them, merge them with `llama-gguf-split --merge` and the first one, and pass the file that it writes"
    )]
    GgufParts { model: String, file: String },

    /// There is no folder for what is downloaded.
    #[error(
        "there is no home folder for the cache of models; set HF_HOME to a folder, or name a cache folder"
    )]
    NoCacheFolder,

    /// The cache can't be written.
    #[error(
        "can't write `{path}` in the cache of models; set HF_HOME to a folder that can be written, or name another cache folder"
    )]
    Cache { path: PathBuf, source: std::io::Error },

    /// No revision is called so.
    #[error("`{revision}` can't be a revision; name a branch, a tag or a commit of the model")]
    Revision { revision: String },

    /// The hub's address is none.
    #[error(
        "can't download `{model}` from `{endpoint}`, which is no address of a hub; name one like `https://huggingface.co`, also in HF_ENDPOINT if that is set"
    )]
    Endpoint { model: String, endpoint: String },

    /// A download has no thread to run on.
    #[error("can't start a thread to download with")]
    DownloadThread { source: std::io::Error },

    /// The hub did not deliver.
    #[error(
        "can't download `{file}` of `{model}`: {message}; an interrupted download resumes, and a folder with its files works without network"
    )]
    Download { model: String, file: String, message: String },

    /// A downloaded file is not what the hub has.
    #[error("`{file}` of `{model}` arrived damaged and was deleted; run the download again")]
    Checksum { model: String, file: String },

    /// A file of the checkpoint can't be read.
    #[error("can't read `{path}`")]
    Read { path: PathBuf, source: std::io::Error },

    /// The files of a model are not those that were opened.
    #[error(
        "the files of `{path}` have changed since the model was opened; put them back, or restart to load the new ones"
    )]
    FilesChanged { path: PathBuf },

    /// A side file of the checkpoint is not what it should be.
    #[error("`{path}` is not valid JSON of its kind; is the download complete?")]
    SideFile { path: PathBuf, source: Cause },

    /// An embedding was asked of a reranker, or the other way round.
    #[error(
        "`{model}` looks like {found}, not like {}; if it is one after all, say so with the option `kind`", .wanted.in_words()
    )]
    WrongKind { model: String, found: Kind, wanted: Kind },

    /// The device's backend was left out when the program was built.
    #[error("device `{device}` is not part of this build; build with the feature `{feature}`")]
    NotBuilt { device: DeviceId, feature: &'static str },

    /// The device isn't there, or its driver isn't.
    #[error("device `{device}` can't be used: {reason}")]
    DeviceUnavailable { device: DeviceId, reason: String },

    /// No device works at all.
    #[error("no device works here: {reasons}")]
    NoDevice { reasons: String },

    /// The device can't hold weights of this dtype.
    #[error("device `{device}` can't hold {dtype} weights, only {}", list(.supported))]
    DtypeUnsupported { device: DeviceId, dtype: qwen3::Dtype, supported: Vec<qwen3::Dtype> },

    /// The work does not fit in memory.
    #[error(
        "out of memory on `{device}`: {message}; use a smaller `max_batch_tokens`, a smaller model, or another dtype"
    )]
    OutOfMemory { device: DeviceId, message: String },

    /// The device went away.
    #[error("device `{device}` was lost: {message}; load the model again")]
    DeviceLost { device: DeviceId, message: String },

    /// The device or its driver failed in another way.
    #[error("device `{device}` failed: {message}")]
    Device { device: DeviceId, message: String },

    /// A vector holds NaN or infinity, or nothing but zeros. It is never returned.
    #[error(
        "input {input} gave a vector with NaN or infinity, or of zeros, on `{device}` in {dtype}; {}", without_nan(*.dtype)
    )]
    NonFinite { input: usize, device: DeviceId, dtype: qwen3::Dtype },

    /// More dimensions than the model has, or none.
    #[error("{asked} dimensions asked for, the model has 1 to {max}")]
    Dimensions { asked: usize, max: usize },

    /// An option is out of its range.
    #[error("option `{option}` is {value}, but {range}")]
    Option { option: OptionName, value: usize, range: String },

    /// Vectors of different lengths can't be compared.
    #[error(
        "vectors of {left} and {right} dimensions can't be compared; use the same model and dimensions for both"
    )]
    Lengths { left: usize, right: usize },

    /// The batch whose stages are looked at is shorter.
    #[error("there is no token {token}, the batch has {n_tokens}")]
    NoSuchToken { token: u32, n_tokens: usize },

    /// The system gives no more threads.
    #[error("can't start worker threads: {message}; ask for fewer with `threads`")]
    Threads { message: String },

    /// The caller cancelled it.
    #[error("cancelled")]
    Cancelled,
}
