//! Where CubeCL remembers which of its kernels is fastest on a device.

use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Keeps the measurements in the user's cache folder, so that only the first
/// run on a machine pays for them. Call it before the first GPU device is
/// opened; later calls do nothing.
///
/// Without it CubeCL writes to `target` beside any `Cargo.toml` it finds above
/// the working folder, and reads a `cubecl.toml` from there.
pub fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        let mut config = CubeClRuntimeConfig::default().override_from_env();
        config.autotune.cache = CacheConfig::File(folder());
        CubeClRuntimeConfig::set(config);
    });
}

/// A folder that can be written to: CubeCL panics if its own can't be.
fn folder() -> PathBuf {
    let is_writable = |folder: &Path| {
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        std::fs::create_dir_all(folder).is_ok()
            && std::fs::write(&probe, []).is_ok()
            && std::fs::remove_file(&probe).is_ok()
    };
    let users = dirs::cache_dir().map(|cache| cache.join("qwen3"));
    users.filter(|folder| is_writable(folder)).unwrap_or_else(std::env::temp_dir)
}
