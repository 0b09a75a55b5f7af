//! A disk that fails while a file is written.

use super::*;

/// A disk that fails at one of the writes.
struct Failing {
    writes_left: usize,
    written: Vec<u8>,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.writes_left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        self.writes_left = left;
        // As a disk may: not all of it at one time.
        let some = bytes.len().div_ceil(2);
        self.written.extend(&bytes[..some]);
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_fails_is_an_error_whichever_it_is() {
    let folder =
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-embedding"));
    let checkpoint = Checkpoint::open(folder, &Hooks::default()).unwrap();
    let parts = parts(&checkpoint, DtypeChoice::Auto, false).unwrap();
    let sources = sources(&checkpoint, &Hooks::default()).unwrap();
    let provenance = Provenance { kind: checkpoint.kind, sources };
    let header = portable::header(&provenance, infos(&parts), blocks(&parts));
    let (checkpoint, out) = (&checkpoint, Path::new("out"));
    let whole = Whole { checkpoint, header, parts, out };
    for writes_left in 0.. {
        let mut disk = Failing { writes_left, written: vec![] };
        match whole.write(&mut disk, &Hooks::default()) {
            Err(Error::Write { path, .. }) if path == out => {}
            Err(other) => panic!("{other}"),
            Ok(()) => {
                assert_eq!(disk.written.len() as u64, whole.bytes());
                assert!(writes_left > 2 * whole.parts.len());
                return;
            }
        }
    }
}
