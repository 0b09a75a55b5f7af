//! Where this program keeps what it can make again.

use std::env::var_os;
use std::path::PathBuf;

/// Its folder among the user's caches, which may not be there yet; `None` where the system has no
/// such place.
pub fn cache_folder() -> Option<PathBuf> {
    let variable = |name| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let caches = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))
    };
    Some(caches?.join("qwen3"))
}
