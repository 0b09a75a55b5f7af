//! What drivers say of their memory.

use super::{Api, devices, open_adapter};
use qwen3_wgpu::free_bytes;

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
