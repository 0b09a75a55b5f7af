//! Plain Rust, made for each set of vector instructions.

/// Defines a function of plain Rust, made for each set of instructions and
/// called with the `Isa` to use: loops over numbers become its vectors. What
/// it calls has to be inlined.
macro_rules! vectorized {
    (
        $(#[$doc:meta])*
        $visibility:vis fn $name:ident $(<$T:ident: $bound:path>)? ($($argument:ident: $type:ty),* $(,)?) $body:block
    ) => {
        $(#[$doc])*
        $visibility fn $name $(<$T: $bound>)? (isa: $crate::cpu::isa::Isa, $($argument: $type),*) {
            #[inline(always)]
            fn plain $(<$T: $bound>)? ($($argument: $type),*) $body

            /// # Safety
            /// The processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn in_256 $(<$T: $bound>)? ($($argument: $type),*) {
                plain($($argument),*)
            }

            /// # Safety
            /// The processor has the instructions.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            unsafe fn in_512 $(<$T: $bound>)? ($($argument: $type),*) {
                plain($($argument),*)
            }

            match isa {
                // Safety: the processor has the instructions (`Isa`).
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::isa::Isa::AmxBf16
                | $crate::cpu::isa::Isa::Avx512Bf16
                | $crate::cpu::isa::Isa::Avx512Vnni
                | $crate::cpu::isa::Isa::Avx512 => unsafe { in_512($($argument),*) },
                // Safety: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::cpu::isa::Isa::AvxVnni | $crate::cpu::isa::Isa::Avx2 => unsafe {
                    in_256($($argument),*)
                },
                _ => plain($($argument),*),
            }
        }
    };
}
pub(crate) use vectorized;
