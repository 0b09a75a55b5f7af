//! Memory for activations that is used again, layer after layer and call after
//! call: fresh pages from the system cost more than what a norm computes.

use burn::tensor::{AllocationProperty, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use bytemuck::{Pod, Zeroable};
use cubecl_common::bytes::{AllocationController, Bytes};
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that were given back, and when. They are the whole process's, because Burn
/// Flex's device is a type without fields: nothing else outlives a forward pass.
static POOL: Mutex<Pool> = Mutex::new(Pool { free: vec![], clock: 0 });

/// Buffers taken until one that nobody wants goes back to the system: more
/// than a forward pass takes, so that those of a rare long text don't stay.
const PATIENCE: u64 = 1_000;

/// Bytes of buffers that nobody uses: as good as free.
pub fn unused_bytes() -> usize {
    pool().unused_bytes()
}

/// Gives buffers that nobody uses back to the system, until they have at most so many bytes.
pub fn shrink(max_bytes: usize) {
    pool().shrink(max_bytes);
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many bytes as a cache line, or an AVX-512 register, has.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

struct Pool {
    free: Vec<(u64, Vec<Line>)>,
    clock: u64,
}

impl Pool {
    /// The smallest that has so many lines, and not many times more.
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        self.clock += 1;
        let fits = |free: &[Line]| free.len() >= lines && free.len() <= 4 * lines;
        let free = self.free.iter().enumerate().filter(|(_, (_, free))| fits(free));
        let (index, _) = free.min_by_key(|(_, (_, free))| free.len())?;
        Some(self.free.swap_remove(index).1)
    }

    fn give(&mut self, lines: Vec<Line>) {
        let now = self.clock;
        self.free.retain(|(given, _)| now - given < PATIENCE);
        self.free.push((now, lines));
    }

    fn unused_bytes(&self) -> usize {
        self.free.iter().map(|(_, lines)| size_of_val(lines.as_slice())).sum()
    }

    /// The largest go first: those of a rare long text.
    fn shrink(&mut self, max_bytes: usize) {
        self.free.sort_by_key(|(_, lines)| lines.len());
        while self.unused_bytes() > max_bytes {
            self.free.pop();
        }
    }
}

/// Memory that goes back to the pool when it is dropped. What is in it at
/// first is left from earlier use.
pub(crate) struct Buffer {
    lines: Vec<Line>,
}

impl Buffer {
    /// At least so many bytes.
    pub fn new(bytes: usize) -> Self {
        let lines = bytes.div_ceil(size_of::<Line>());
        let taken = pool().take(lines);
        Self { lines: taken.unwrap_or_else(|| vec![Line::zeroed(); lines]) }
    }

    /// The first `n` elements.
    pub fn as_slice<T: Pod>(&self, n: usize) -> &[T] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        bytemuck::cast_slice(&bytes[..n * size_of::<T>()])
    }

    /// The first `n` elements.
    pub fn as_mut_slice<T: Pod>(&mut self, n: usize) -> &mut [T] {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        bytemuck::cast_slice_mut(&mut bytes[..n * size_of::<T>()])
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        pool().give(lines);
    }
}

impl AllocationController for Buffer {
    /// Less than that of a line: `Bytes` can't copy what is aligned to more
    /// than its own `MAX_ALIGN`, and says so in debug builds.
    fn alloc_align(&self) -> usize {
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    /// # Safety
    /// Only initialized bytes are written.
    unsafe fn memory_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        // Safety: the same layout; only initialized bytes are written, by the caller.
        unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
    }

    fn memory(&self) -> &[MaybeUninit<u8>] {
        let bytes: &[u8] = bytemuck::cast_slice(&self.lines);
        // Safety: the same layout.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }
}

/// A float32 tensor with values left from earlier use.
pub(crate) fn tensor<const N: usize>(shape: [usize; N]) -> FlexTensor {
    tensor_of(shape, DType::F32)
}

/// A tensor with values left from earlier use.
pub(crate) fn tensor_of<const N: usize>(shape: [usize; N], dtype: DType) -> FlexTensor {
    let shape = Shape::from(shape);
    let bytes = shape.num_elements() * dtype.size();
    let buffer = Buffer::new(bytes);
    // Safety: every byte of a buffer is initialized, and there are so many.
    let bytes = unsafe { Bytes::from_controller(Box::new(buffer), bytes) };
    FlexTensor::new(bytes, Layout::contiguous(shape), dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let mut pool = Pool { free: vec![], clock: 0 };
        assert!(pool.take(8).is_none());
        pool.give(vec![Line::zeroed(); 8]);
        pool.give(vec![Line::zeroed(); 16]);
        assert!(pool.take(17).is_none() && pool.take(1).is_none());
        assert_eq!(pool.take(5).unwrap().len(), 8);
        assert_eq!(pool.take(5).unwrap().len(), 16);
        assert!(pool.take(5).is_none());
    }

    #[test]
    fn a_pool_that_shrinks_keeps_its_small_buffers() {
        let mut pool = Pool { free: vec![], clock: 0 };
        for lines in [1, 100, 2, 50] {
            pool.give(vec![Line::zeroed(); lines]);
        }
        assert_eq!(pool.unused_bytes(), 153 * 64);
        pool.shrink(153 * 64);
        assert_eq!(pool.free.len(), 4);
        pool.shrink(53 * 64 - 1);
        assert_eq!(pool.unused_bytes(), 3 * 64);
        pool.shrink(0);
        assert!(pool.free.is_empty());
    }

    #[test]
    fn elements_may_be_wider_than_a_line_or_go_over_its_end() {
        let mut buffer = Buffer { lines: vec![Line::zeroed(); 5] };
        assert_eq!(buffer.as_slice::<[Line; 2]>(2).len(), 2);
        assert_eq!(buffer.as_mut_slice::<[Line; 2]>(2).len(), 2);
        assert_eq!(buffer.as_slice::<u16>(33).len(), 33);
        assert_eq!(buffer.as_slice::<[u64; 5]>(8).len(), 8);
    }

    #[test]
    fn a_buffer_that_nobody_wants_is_freed() {
        let mut pool = Pool { free: vec![], clock: 0 };
        pool.give(vec![Line::zeroed(); 100]);
        for _ in 0..PATIENCE {
            assert!(pool.take(1).is_none());
        }
        pool.give(vec![Line::zeroed(); 1]);
        assert_eq!(pool.free.len(), 1);
    }

    #[test]
    fn a_tensor_has_its_shape_and_can_be_written() {
        let mut x = tensor([3, 5]);
        x.storage_mut::<f32>().fill(2.0);
        assert_eq!(x.storage::<f32>(), [2.0; 15]);
        let copy = x.clone();
        x.storage_mut::<f32>().fill(3.0);
        assert_eq!((copy.storage::<f32>()[0], x.storage::<f32>()[0]), (2.0, 3.0));
        assert_eq!(tensor([0, 5]).storage::<f32>(), [0.0; 0]);
    }
}
