//! What a container or a service may use of the machine's memory: the limits of
//! Linux's control groups, of both versions.

use std::fs;
use std::path::Path;

/// Memory that this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// In all.
    pub total_bytes: u64,
    /// Without what is used and can't be had back.
    pub free_bytes: u64,
}

/// What the files of one version are called.
struct Names {
    /// Beyond the second one a process isn't ended, but slowed down to a halt.
    limits: &'static [&'static str],
    used: &'static str,
    /// Lines of `memory.stat`: the files' pages in memory, which go when others
    /// need the room. A mapped model's weights are among them.
    cached: [&'static str; 2],
}

const VERSION_1: Names = Names {
    limits: &["memory.limit_in_bytes"],
    used: "memory.usage_in_bytes",
    cached: ["total_inactive_file", "total_active_file"],
};
const VERSION_2: Names = Names {
    limits: &["memory.max", "memory.high"],
    used: "memory.current",
    cached: ["inactive_file", "active_file"],
};

/// `None`: this process is in no group with a limit.
pub(crate) fn memory() -> Option<Memory> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    least(Path::new("/sys/fs/cgroup"), &groups)
}

/// The least that the process's groups and those around them leave. `groups` has
/// lines such as `0::/path` and, of version 1, `4:memory:/path`; in a container the
/// path may be the host's, then only the root is seen.
fn least(root: &Path, groups: &str) -> Option<Memory> {
    let group = |is_wanted: fn(&str) -> bool| {
        let mut lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let path = lines.find(|(controllers, _)| is_wanted(controllers)).map(|(_, path)| path);
        path.unwrap_or_default().trim_start_matches('/')
    };
    let version_1 = group(|controllers| controllers.split(',').any(|name| name == "memory"));
    let version_2 = group(str::is_empty);
    let of_version_1 = Path::new(version_1).ancestors().map(|path| root.join("memory").join(path));
    let of_version_1 = of_version_1.filter_map(|folder| VERSION_1.read(&folder));
    let of_version_2 = Path::new(version_2).ancestors().map(|path| root.join(path));
    let of_version_2 = of_version_2.filter_map(|folder| VERSION_2.read(&folder));
    of_version_1.chain(of_version_2).reduce(|one, other| Memory {
        total_bytes: one.total_bytes.min(other.total_bytes),
        free_bytes: one.free_bytes.min(other.free_bytes),
    })
}

impl Names {
    fn read(&self, folder: &Path) -> Option<Memory> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        // `max` is no number, and no limit.
        let number = |name: &&str| text(name).trim().parse::<u64>().ok();
        let total_bytes = self.limits.iter().filter_map(number).min()?;
        let statistics = text("memory.stat");
        let cached = statistics.lines().filter_map(|line| line.split_once(' '));
        let cached = cached.filter(|(name, _)| self.cached.contains(name));
        let cached: u64 = cached.filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok()).sum();
        let used = number(&self.used).unwrap_or(0).saturating_sub(cached);
        Some(Memory { total_bytes, free_bytes: total_bytes.saturating_sub(used) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// What is left where these files are below `/sys/fs/cgroup`.
    fn check(groups: &str, files: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = least(root.path(), groups);
        let found = found.map(|Memory { total_bytes, free_bytes }| (total_bytes, free_bytes));
        assert_eq!(found, expected, "{groups} {files:?}");
    }

    #[test]
    fn pages_of_files_are_not_used_memory() {
        let stat = "anon 50000000\nfile 1000000000\nkernel 23741800\n\
                    inactive_file 900000000\nactive_file 100000000\n";
        let files = [
            ("memory.max", "1073741824\n"),
            ("memory.current", "1073741800\n"),
            ("memory.stat", stat),
        ];
        check("0::/\n", &files, Some((GIB, GIB - 73_741_800)));
        // The host's path of a container that sees its own group as the root.
        check("0::/docker/0123\n", &files, Some((GIB, GIB - 73_741_800)));
        check("", &files, Some((GIB, GIB - 73_741_800)));
        let of_version_1 = [
            ("memory/memory.limit_in_bytes", "1073741824\n"),
            ("memory/memory.usage_in_bytes", "1073741800\n"),
            (
                "memory/memory.stat",
                "cache 1\ninactive_file 7\ntotal_inactive_file 900000000\ntotal_active_file 100000000\n",
            ),
        ];
        check("4:cpu,memory:/docker/0123\n0::/\n", &of_version_1, Some((GIB, GIB - 73_741_800)));
    }

    #[test]
    fn the_narrowest_of_nested_groups_counts() {
        let files = [
            ("outer/memory.max", "2147483648\n"),
            ("outer/memory.current", "2047483648\n"),
            ("outer/inner/memory.max", "1073741824\n"),
            ("outer/inner/memory.current", "1000\n"),
            ("outer/other/memory.max", "1\n"),
        ];
        check("0::/outer/inner\n", &files, Some((GIB, 100_000_000)));
        check("0::/outer\n", &files, Some((2 * GIB, 100_000_000)));
        check("0::/\n", &files, None);
    }

    #[test]
    fn no_limit_is_none_and_a_soft_one_counts() {
        let unlimited =
            [("memory.max", "max\n"), ("memory.high", "max\n"), ("memory.current", "5\n")];
        check("0::/\n", &unlimited, None);
        let soft =
            [("memory.max", "max\n"), ("memory.high", "1073741824\n"), ("memory.current", "24\n")];
        check("0::/\n", &soft, Some((GIB, GIB - 24)));
        // More is used than is allowed, as when a limit was lowered.
        let over = [("memory.max", "10\n"), ("memory.current", "24\n")];
        check("0::/\n", &over, Some((10, 0)));
        check("nonsense\n", &[("memory.max", "what\n")], None);
    }
}
