//! Which vector instructions the CPU kernels use.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions. Each processor that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Whatever the compiler makes of plain Rust.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW and DQ.
    Avx512,
    /// The same and its bfloat16 products.
    Avx512Bf16,
}

const ALL: [(Isa, &str); 4] = [
    (Isa::Portable, "portable"),
    (Isa::Avx2, "avx2"),
    (Isa::Avx512, "avx512"),
    (Isa::Avx512Bf16, "avx512-bf16"),
];

/// The highest that may be used; above all of them at first.
static LIMIT: AtomicU8 = AtomicU8::new(u8::MAX);

impl Isa {
    /// The best that this processor has, up to the limit.
    pub fn best() -> Self {
        let limit = LIMIT.load(Ordering::Relaxed);
        let usable = Self::available().into_iter().filter(|isa| *isa as u8 <= limit);
        usable.max().unwrap_or(Self::Portable)
    }

    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have none but the first")]
        let mut available = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq");
            let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            let features = [(avx2, Self::Avx2), (avx512, Self::Avx512), (bf16, Self::Avx512Bf16)];
            available.extend(features.into_iter().filter(|(has, _)| *has).map(|(_, isa)| isa));
        }
        available
    }

    /// From now on this process uses nothing beyond `isa`: for tests and for
    /// comparing speeds.
    pub fn limit(isa: Self) {
        LIMIT.store(isa as u8, Ordering::Relaxed);
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(ALL[*self as usize].1)
    }
}

/// A name that stands for no [`Isa`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownIsa(String);

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of portable, avx2, avx512, avx512-bf16", self.0)
    }
}

impl std::error::Error for UnknownIsa {}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
        let found = ALL.iter().find(|(_, known)| *known == name);
        found.map(|(isa, _)| *isa).ok_or_else(|| UnknownIsa(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (isa, name) in ALL {
            assert_eq!((isa.to_string(), name.parse()), (name.to_owned(), Ok(isa)));
        }
        assert!("AVX2".parse::<Isa>().is_err());
    }

    #[test]
    fn the_best_is_one_that_is_available() {
        assert!(Isa::available().contains(&Isa::best()));
        assert_eq!(Isa::available()[0], Isa::Portable);
    }
}
