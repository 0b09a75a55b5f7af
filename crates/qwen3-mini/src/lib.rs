//! A small embedding model as bytes of the program; `MODEL_CARD.md` says what
//! it is for.
//!
//! The file is a portable one, as `qwen3 convert` writes it. This crate doesn't
//! read it, and depends on nothing: with the feature `mini` of `qwen3-engine` the
//! model has the name `mini`.

/// The file, to the last byte. It begins at a multiple of 64 bytes, as a file does
/// that is mapped, so that its weights are aligned and computed with where they are.
pub static MODEL: &[u8] = &FILE.0;

/// An address that suits the widest vector instructions.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../qwen3-mini.safetensors"));

#[cfg(test)]
mod tests {
    use super::MODEL;

    #[test]
    fn the_model_is_aligned_and_no_larger_than_agreed() {
        assert_eq!(MODEL.as_ptr().addr() % 64, 0);
        assert!(MODEL.len() <= 16_000_000, "{} bytes", MODEL.len());
    }
}
