//! Asks Vulkan how much of a GPU's memory is free, which wgpu doesn't tell.

use ash::{ext, vk};
use wgpu::hal::api::Vulkan;

/// Bytes that this process may still allocate in the GPU's own memory, by the driver's
/// account of all processes (`VK_EXT_memory_budget`). `None` if the adapter isn't Vulkan's,
/// or its driver doesn't say.
pub fn free_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    // Safety: the adapter is asked, and nothing of it is destroyed.
    let adapter = unsafe { adapter.as_hal::<Vulkan>() }?;
    let shared = adapter.shared_instance();
    let (instance, gpu) = (shared.raw_instance(), adapter.raw_physical_device());
    // Safety: here and below, `adapter` keeps the instance and the GPU alive.
    let extensions = unsafe { instance.enumerate_device_extension_properties(gpu) }.ok()?;
    let tells = extensions
        .iter()
        .any(|extension| extension.extension_name_as_c_str() == Ok(ext::memory_budget::NAME));
    // Safety: as above.
    let version = unsafe { instance.get_physical_device_properties(gpu) }.api_version;
    // The function below is a part of Vulkan since 1.1.
    if !tells || version.min(shared.instance_api_version()) < vk::API_VERSION_1_1 {
        return None;
    }
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut memory = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
    // Safety: as above; the driver writes to two structures, the second of which it knows.
    unsafe { instance.get_physical_device_memory_properties2(gpu, &mut memory) };
    let heaps = memory.memory_properties;
    let budgets = budget.heap_budget.into_iter().zip(budget.heap_usage);
    let local = heaps.memory_heaps_as_slice().iter().zip(budgets);
    local
        .filter(|(heap, _)| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL))
        .map(|(_, (budget, usage))| budget.saturating_sub(usage))
        .max()
}
