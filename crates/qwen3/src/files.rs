//! The files of a model's folder, and what people have in their place. Files
//! are untrusted: what lies there is read to a limit, or is an error that says
//! what it is.

use crate::error::Error;
use qwen3_sys::MappedFile;
use std::fs::{File, FileType, metadata};
use std::io::Read;
use std::path::Path;

/// A tokenizer of 150,000 tokens takes 11 MB.
const MAX_TOKENIZER_BYTES: u64 = 32 << 20;
/// The others take a few KB, an index of weights up to 100.
const MAX_BYTES: u64 = 4 << 20;
/// How much of a file tells what it is.
const HEAD_BYTES: usize = 512;
/// Some editors put it before UTF-8; RFC 8259 allows to pass it over.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How files begin that aren't a model's, what they are, and the way out.
const FOREIGN: [(&[u8], &str, &str); 16] = [
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` in the model's folder"),
    (b"\x1f\x8b", "compressed with gzip", "unpack it with `gunzip`"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it with `unzstd`"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it with `unxz`"),
    (b"BZh", "compressed with bzip2", "unpack it with `bunzip2`"),
    (b"PK\x03\x04", ZIP, UNZIP),
    (b"PK\x05\x06", ZIP, UNZIP),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"\x80\x02", PICKLE, AS_SAFETENSORS),
    (b"\x80\x03", PICKLE, AS_SAFETENSORS),
    (b"\x80\x04", PICKLE, AS_SAFETENSORS),
    (b"\x80\x05", PICKLE, AS_SAFETENSORS),
    (b"GGUF", "a GGUF file", "name the file itself as the model"),
    (b"\x93NUMPY", "an array of NumPy", AS_SAFETENSORS),
    (b"\xff\xfe", "text in UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as UTF-8"),
];
const ZIP: &str = "a ZIP archive, as PyTorch's own files are";
const UNZIP: &str = "unpack it, or save a PyTorch model with `save_pretrained`";
const PICKLE: &str = "a Python pickle, as PyTorch's own files are";
const AS_SAFETENSORS: &str = "save the model with `save_pretrained`, which writes safetensors";

/// The whole content of a file of text beside the weights.
///
/// # Errors
/// If it can't be read, is no regular file, is larger than any file of its
/// name, or is something else than a model's file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    check_regular(path)?;
    let is_tokenizer = path.file_name().is_some_and(|name| name == "tokenizer.json");
    let max_bytes = if is_tokenizer { MAX_TOKENIZER_BYTES } else { MAX_BYTES };
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut content = vec![];
    file.take(max_bytes + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > max_bytes {
        return Err(Error::TooLarge { path: path.to_owned(), max_bytes });
    }
    check_content(path, &content)?;
    if content.starts_with(BYTE_ORDER_MARK) {
        content.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(content)
}

/// A file of weights as memory.
///
/// # Errors
/// If it can't be mapped, is no regular file, or is something else than weights.
pub fn map(path: &Path) -> Result<MappedFile, Error> {
    check_regular(path)?;
    check_head(path)?;
    MappedFile::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Refuses what reading would hang on or never end with.
///
/// # Errors
/// If it is no regular file, or there is none.
pub fn check_regular(path: &Path) -> Result<(), Error> {
    let found = metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    match found.is_file() {
        true => Ok(()),
        false => {
            Err(Error::NotRegular { path: path.to_owned(), what: what_it_is(found.file_type()) })
        }
    }
}

fn what_it_is(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a pipe";
        } else if found.is_socket() {
            return "a socket";
        } else if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() { "a folder" } else { "something else" }
}

/// Refuses a file that is known to be something else than a model's.
///
/// # Errors
/// If it is, or if it can't be read.
pub fn check_head(path: &Path) -> Result<(), Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut head = vec![];
    file.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(unreadable)?;
    match head.get(size_of::<u64>()) {
        // The length of a header may begin like anything; the header itself can't.
        Some(b'{') => Ok(()),
        _ => check_content(path, &head),
    }
}

/// Refuses content that is known to be something else than a model's, by how it begins.
fn check_content(path: &Path, content: &[u8]) -> Result<(), Error> {
    let foreign = |what, way_out| {
        let path = path.to_owned();
        Err(Error::Foreign { path, what, way_out })
    };
    let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content).trim_ascii_start();
    if text.is_empty() {
        return foreign("empty", "is the download complete?");
    }
    if text.starts_with(b"<") {
        return foreign("a web page", "download the file itself, not the page about it");
    }
    if content.get(257..262) == Some(b"ustar") {
        return foreign("a tar archive", "unpack it");
    }
    match FOREIGN.into_iter().find(|(begin, ..)| content.starts_with(begin)) {
        Some((_, what, way_out)) => foreign(what, way_out),
        None => Ok(()),
    }
}
