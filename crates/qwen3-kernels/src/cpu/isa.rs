//! Which vector instructions the CPU kernels use.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions. A processor that has one has those before it in its
/// family, x86-64 up to [`Isa::AmxBf16`] and Arm from [`Isa::Neon`]; but one that has
/// AVX-512 may lack [`Isa::AvxVnni`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Whatever the compiler makes of plain Rust, on every processor.
    Portable,
    /// AVX2, FMA and F16C.
    Avx2,
    /// The same and its products of 8 bits (AVX-VNNI).
    AvxVnni,
    /// AVX-512 F, BW and DQ.
    Avx512,
    /// The same and its products of 8 bits (AVX-512-VNNI).
    Avx512Vnni,
    /// The same and its bfloat16 products.
    Avx512Bf16,
    /// The same and AMX with bfloat16 tiles, on Linux.
    AmxBf16,
    /// What every 64-bit Arm processor has.
    Neon,
    /// The same and its products of 8 bits (`dotprod`).
    NeonDot,
    /// The same, and products of bfloat16 and of pairs of rows of 8 bits (`bf16`, `i8mm`).
    NeonBf16,
}

const ALL: [(Isa, &str); 10] = [
    (Isa::Portable, "portable"),
    (Isa::Avx2, "avx2"),
    (Isa::AvxVnni, "avx-vnni"),
    (Isa::Avx512, "avx512"),
    (Isa::Avx512Vnni, "avx512-vnni"),
    (Isa::Avx512Bf16, "avx512-bf16"),
    (Isa::AmxBf16, "amx-bf16"),
    (Isa::Neon, "neon"),
    (Isa::NeonDot, "neon-dotprod"),
    (Isa::NeonBf16, "neon-bf16"),
];

/// The number of the highest that may be used; of none at first. It is the whole
/// process's, because Burn Flex's device is a type without fields: there is no
/// value that could carry it to a kernel.
static LIMIT: AtomicU8 = AtomicU8::new(u8::MAX);

impl Isa {
    /// The best that this processor has, up to the limit.
    pub fn best() -> Self {
        let limit = ALL.get(usize::from(LIMIT.load(Ordering::Relaxed))).map(|(isa, _)| *isa);
        let is_usable = |isa: &Self| limit.is_none_or(|limit| isa.is_within(limit));
        let available = of_this_processor().into_iter().filter(|(has, _)| *has);
        available.map(|(_, isa)| isa).filter(is_usable).max().unwrap_or(Self::Portable)
    }

    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        let mut available = vec![Self::Portable];
        available
            .extend(of_this_processor().into_iter().filter(|(has, _)| *has).map(|(_, isa)| isa));
        available
    }

    /// From now on this process uses nothing beyond `isa`, which on a processor
    /// of the other family is [`Isa::Portable`]: for tests and for comparing speeds.
    pub fn limit(isa: Self) {
        LIMIT.store(isa as u8, Ordering::Relaxed);
    }

    /// Whether this is one of those up to `limit`, in the family of `limit`.
    fn is_within(self, limit: Self) -> bool {
        let is_arm = |isa| isa >= Self::Neon;
        self == Self::Portable || self <= limit && is_arm(self) == is_arm(limit)
    }
}

/// Beside [`Isa::Portable`], and whether this processor has them.
#[cfg(target_arch = "x86_64")]
fn of_this_processor() -> [(bool, Isa); 6] {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let avx_vnni = avx2 && is_x86_feature_detected!("avxvnni");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    let vnni = avx512 && is_x86_feature_detected!("avx512vnni");
    let bf16 = vnni && is_x86_feature_detected!("avx512bf16");
    #[cfg(target_os = "linux")]
    let amx = bf16 && super::amx::is_available();
    #[cfg(not(target_os = "linux"))]
    let amx = false;
    [
        (avx2, Isa::Avx2),
        (avx_vnni, Isa::AvxVnni),
        (avx512, Isa::Avx512),
        (vnni, Isa::Avx512Vnni),
        (bf16, Isa::Avx512Bf16),
        (amx, Isa::AmxBf16),
    ]
}

/// Beside [`Isa::Portable`], and whether this processor has them.
#[cfg(target_arch = "aarch64")]
fn of_this_processor() -> [(bool, Isa); 3] {
    let neon = std::arch::is_aarch64_feature_detected!("neon");
    let dot = neon && std::arch::is_aarch64_feature_detected!("dotprod");
    let bf16 = dot
        && std::arch::is_aarch64_feature_detected!("bf16")
        && std::arch::is_aarch64_feature_detected!("i8mm");
    [(neon, Isa::Neon), (dot, Isa::NeonDot), (bf16, Isa::NeonBf16)]
}

/// Beside [`Isa::Portable`], and whether this processor has them.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn of_this_processor() -> [(bool, Isa); 0] {
    []
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
        let names = ALL.map(|(_, name)| name).join(", ");
        write!(f, "`{}` is none of {names}", self.0)
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
    fn the_table_is_in_the_order_of_the_numbers() {
        assert!(ALL.iter().enumerate().all(|(number, (isa, _))| *isa as usize == number));
    }

    #[test]
    fn the_best_is_one_that_is_available() {
        assert!(Isa::available().contains(&Isa::best()));
        assert_eq!(Isa::available()[0], Isa::Portable);
    }

    #[test]
    fn a_limit_of_the_other_family_leaves_what_every_processor_has() {
        let within =
            |limit| ALL.map(|(isa, _)| isa).into_iter().filter(move |isa| isa.is_within(limit));
        assert!(within(Isa::Portable).eq([Isa::Portable]));
        assert!(within(Isa::Avx512).eq([Isa::Portable, Isa::Avx2, Isa::AvxVnni, Isa::Avx512]));
        assert!(within(Isa::NeonBf16).eq([Isa::Portable, Isa::Neon, Isa::NeonDot, Isa::NeonBf16]));
    }
}
