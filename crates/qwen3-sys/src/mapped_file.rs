//! A file as read-only memory, page by page on demand.

use memmap2::Mmap;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

/// A read-only file in memory.
///
/// Nothing is read before it is touched, and [`MappedFile::release`] gives
/// touched pages back, so that loading a checkpoint tensor by tensor doesn't
/// keep two copies of it in memory.
pub struct MappedFile {
    pages: Pages,
}

/// Who has mapped a file.
enum Pages {
    /// We have.
    Ours(Mmap),
    /// The system, with the program that the file is a part of.
    OfProgram(&'static [u8]),
}

impl MappedFile {
    /// Maps the whole file.
    ///
    /// # Errors
    /// If the file can't be opened or mapped; an empty file can't be.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open_to_map(path)?;
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
        }
        // Safety: the map is read-only and private to us. Another program that
        // shortens the file while we read it would end this process on Unix, as with
        // every memory-mapped file; downloads never write to a finished file.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { pages: Pages::Ours(map) })
    }

    /// A file that is a part of the program, as `include_bytes!` gives it.
    pub fn of_program(file: &'static [u8]) -> Self {
        Self { pages: Pages::OfProgram(file) }
    }

    /// Tells the system that these bytes won't be needed soon. They can still
    /// be read afterwards, from the file again.
    pub fn release(&self, bytes: Range<usize>) {
        #[cfg(unix)]
        if let Pages::Ours(map) = &self.pages {
            // Only whole pages inside the range: the ends may belong to a neighbour.
            // 64 KiB is a multiple of every page size in use.
            const PAGE: usize = 64 * 1024;
            let (start, end) = (bytes.start.next_multiple_of(PAGE), bytes.end / PAGE * PAGE);
            if start < end && end <= map.len() {
                // Safety: a read-only mapping of a file is read again from the file.
                let advice = memmap2::UncheckedAdvice::DontNeed;
                // Advice that is refused costs memory, not correctness.
                let _ = unsafe { map.unchecked_advise_range(advice, start, end - start) };
            }
        }
        #[cfg(not(unix))]
        let _ = bytes;
    }
}

/// On Windows nobody may write to the file from now on, as long as it is mapped: memmap2
/// keeps a copy of the handle. It may be renamed and replaced.
#[cfg(windows)]
fn open_to_map(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const FILE_SHARE_DELETE: u32 = 4;
    File::options().read(true).share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE).open(path)
}

#[cfg(not(windows))]
fn open_to_map(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Bytes of a file that are read where they are used. Its pages go back when
/// the last owner is gone.
struct Shared {
    file: Arc<MappedFile>,
    bytes: Range<usize>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.file[self.bytes.clone()]
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.file.release(self.bytes.clone());
    }
}

/// A part of `file` without a copy of it.
///
/// # Panics
/// If the file has no such bytes.
pub fn share(file: &Arc<MappedFile>, bytes: Range<usize>) -> bytes::Bytes {
    bytes::Bytes::from_owner(Shared { file: file.clone(), bytes })
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.pages {
            Pages::Ours(map) => map,
            Pages::OfProgram(file) => file,
        }
    }
}

impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MappedFile({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_bytes_can_be_read_again() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let content: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let file = MappedFile::open(&path).unwrap();
        assert_eq!(&*file, &content[..]);
        file.release(10..900_000);
        assert_eq!(&*file, &content[..], "equal to what `fs::read` gives");
    }

    #[test]
    fn a_shared_part_outlives_its_file_and_leaves_the_rest_alone() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let content: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let file = Arc::new(MappedFile::open(&path).unwrap());
        let (part, other) = (share(&file, 0..600_000), share(&file, 300_000..1_000_000));
        drop((file, part));
        assert_eq!(&other[..], &content[300_000..]);
    }

    #[test]
    fn a_file_of_the_program_is_shared_where_it_is() {
        static FILE: [u8; 200_000] = [7; 200_000];
        let file = Arc::new(MappedFile::of_program(&FILE));
        let part = share(&file, 64..150_000);
        assert_eq!(part.as_ptr(), FILE[64..].as_ptr());
        file.release(0..200_000);
        drop(file);
        assert_eq!(&part[..], &FILE[64..150_000]);
    }

    #[test]
    #[cfg(windows)]
    fn a_mapped_file_is_not_written_to_and_can_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("model"), folder.path().join("new"));
        std::fs::write(&path, "before").unwrap();
        std::fs::write(&new, "behind").unwrap();
        let file = MappedFile::open(&path).unwrap();
        assert!(std::fs::write(&path, "after").is_err());
        assert!(File::options().append(true).open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert_eq!(&*file, b"before");
        drop(file);
        std::fs::write(&path, "after").unwrap();
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        assert!(MappedFile::open(&path).is_err());
        assert!(MappedFile::open(Path::new("no/such/file")).is_err());
    }
}
