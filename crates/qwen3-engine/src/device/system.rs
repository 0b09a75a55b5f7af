//! What the operating system knows of this machine.

use super::cgroup;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The processor and the memory it can use.
pub(crate) struct Processor {
    pub name: String,
    pub memory_bytes: u64,
}

pub(crate) fn processor() -> Processor {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let name = system.cpus().first().map_or("", |cpu| cpu.brand()).trim().to_owned();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Processor {
        name: format!("{name}, {threads} threads"),
        // A container's limit counts, where there is one.
        memory_bytes: cgroup::memory()
            .map_or(system.total_memory(), |limit| limit.total_bytes.min(system.total_memory())),
    }
}

/// Memory that can be had without swapping.
pub(crate) fn available_memory_bytes() -> u64 {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let free = system.available_memory();
    cgroup::memory().map_or(free, |limit| limit.free_bytes.min(free))
}

/// Cores that this process may use: a second thread of the same core has no
/// arithmetic of its own. Affinity and a container's limit count.
pub(crate) fn usable_cores() -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    System::physical_core_count().map_or(threads, |cores| cores.clamp(1, threads))
}

/// The processor's name and threads.
pub fn processor_name() -> String {
    processor().name
}

/// The most memory this process has had, where the system tells it without
/// unsafe calls: on Linux.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
