//! The targets without a fuzzer: every seed, and changes of it that are the same
//! in each run.

use qwen3_fuzz::TARGETS;
use std::fs;
use std::path::Path;

/// Changed copies of each seed.
const CHANGES: u32 = 100;

/// Numbers that look random (xorshift).
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % end.max(1)
    }

    /// A few bytes are others, gone, or there twice.
    fn change(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut changed = seed.to_owned();
        for _ in 0..=self.below(4) {
            let at = self.below(changed.len());
            let end = changed.len().min(at + 1 + self.below(16));
            match self.below(4) {
                0 if !changed.is_empty() => changed[at] = self.below(256) as u8,
                1 => drop(changed.drain(at..end)),
                2 => changed = [&changed[..end], &changed[at..]].concat(),
                _ => changed.truncate(at),
            }
        }
        changed
    }
}

#[test]
fn seeds_and_changes_of_them_are_handled() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in TARGETS {
        let files = fs::read_dir(seeds.join(name)).unwrap_or_else(|e| panic!("seeds/{name}: {e}"));
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort_unstable();
        for path in paths {
            let seed = fs::read(&path).unwrap();
            target(&seed);
            for number in 1..=CHANGES {
                let changed = Numbers(number).change(&seed);
                // Panics are told with the bytes that led to them.
                let result = std::panic::catch_unwind(|| target(&changed));
                assert!(result.is_ok(), "{path:?}: {:?}", String::from_utf8_lossy(&changed));
            }
        }
    }
}
