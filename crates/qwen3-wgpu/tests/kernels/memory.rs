//! What drivers say of their memory, and what is kept of it.

use super::{Api, Gpu, Values, devices, open_adapter, with_each_gpu};
use burn::tensor::backend::Backend;
use qwen3_kernels::Kernels;
use qwen3_wgpu::free_bytes;
use std::thread;

#[test]
fn free_memory_is_told_by_drivers_that_know_it() {
    for api in [Api::Vulkan, Api::Wgpu] {
        let found = devices(api).len();
        assert_eq!(free_bytes(api, found), None, "there is no such GPU");
        if found > 0 {
            let before = free_bytes(api, 0);
            open_adapter(api, 0).unwrap();
            println!("{api:?}: {before:?} bytes, {:?} when opened", free_bytes(api, 0));
            assert!(before.is_none_or(|bytes| (1 << 20..1 << 44).contains(&bytes)), "{before:?}");
        }
    }
}

/// Tests beside this one use the same devices, so it asks until nobody else does.
#[test]
fn memory_that_nobody_uses_is_known_to_every_thread_and_given_back() {
    with_each_gpu(|gpu| {
        let kept = (0..100).any(|_| {
            drop(Values::random([1 << 20], 1).on::<Gpu>(gpu));
            Gpu::sync(gpu).unwrap();
            let here = Gpu::unused_buffer_bytes(gpu);
            let there = thread::scope(|scope| {
                scope.spawn(|| Gpu::unused_buffer_bytes(gpu)).join().unwrap()
            });
            here >= 4 << 20 && here == there
        });
        assert!(kept, "another thread has memory of its own");
        let given_back = (0..100).any(|_| {
            let before = Gpu::unused_buffer_bytes(gpu);
            Gpu::shrink_buffers(gpu, 0);
            Gpu::unused_buffer_bytes(gpu) < before.max(1)
        });
        assert!(given_back, "{} bytes", Gpu::unused_buffer_bytes(gpu));
    });
}
