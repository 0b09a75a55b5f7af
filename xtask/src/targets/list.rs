//! The other systems, and what is made for them.

/// A system and processor.
pub struct Target {
    /// As users of this command name it.
    pub name: &'static str,
    /// As the compiler names it.
    pub triple: &'static str,
    /// How far one gets on Linux.
    pub work: Work,
}

/// How far one gets with a target on Linux.
pub enum Work {
    /// The types are checked. What has C in it isn't compiled, and nothing is linked.
    Check,
    /// Programs are built and run.
    Run {
        /// Links, and compiles C.
        linker: &'static str,
        /// Runs programs: a command and its arguments.
        runner: &'static [&'static str],
    },
}

/// A package of the workspace.
pub struct Package {
    /// Its name, which is that of its folder.
    pub name: &'static str,
    /// Whether its features switch backends on.
    pub has_backends: bool,
}

/// The targets, in the order in which they are done.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "windows",
        triple: "x86_64-pc-windows-gnu",
        work: Work::Run { linker: "x86_64-w64-mingw32-gcc", runner: &["/usr/lib/wine/wine64"] },
    },
    Target { name: "msvc", triple: "x86_64-pc-windows-msvc", work: Work::Check },
    Target { name: "macos", triple: "aarch64-apple-darwin", work: Work::Check },
    Target { name: "macos-intel", triple: "x86_64-apple-darwin", work: Work::Check },
    Target {
        name: "arm",
        triple: "aarch64-unknown-linux-gnu",
        work: Work::Run {
            linker: "aarch64-linux-gnu-gcc",
            runner: &[
                "/usr/bin/qemu-aarch64-static",
                "-cpu",
                "max",
                "-L",
                "/usr/aarch64-linux-gnu",
            ],
        },
    },
];

/// The packages. The first takes seconds, and tells whether the tools work.
pub const PACKAGES: [Package; 7] = [
    Package { name: "qwen3-sys", has_backends: false },
    Package { name: "qwen3-engine", has_backends: true },
    Package { name: "qwen3-tables", has_backends: false },
    Package { name: "qwen3-eval", has_backends: false },
    Package { name: "qwen3-server", has_backends: true },
    Package { name: "qwen3-cli", has_backends: true },
    Package { name: "qwen3-desk", has_backends: true },
];
