//! The compilers: Debian's, and one that stands for those that Linux doesn't have.

use super::list::{Target, Work};
use super::{FOLDER, ROOT};
use std::fs::{self, Permissions};
use std::io;
use std::path::Path;
use std::process::Command;

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";
const INSTALL: &str = "apt-get install --no-install-recommends rustc-web cargo-web rust-web-src \
    lld gcc-mingw-w64-x86-64-win32 wine64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
    qemu-user-static";
/// What is there to be run needn't be fast, but built soon. Our own crates are optimised a little.
const OPTIMISED: [&str; 2] =
    ["profile.release.opt-level=1", "profile.release.package.'*'.opt-level=0"];
/// Those that Cargo.toml optimises a little by their names, with the times to show for it.
const BY_NAME: [&str; 6] =
    ["arrow-cast", "arrow-ipc", "arrow-json", "arrow-ord", "arrow-select", "parquet"];
/// Their assembler for Arm takes another processor unless each function is a part of its caller.
const INLINED: [&str; 2] = ["gemm-common", "gemm-f16"];
/// Stands for a compiler of C and for an archiver: writes empty files by the names that are asked
/// for. Whoever checks types links nothing, and no C library of these systems is at hand.
const NO_COMPILER: &str = r#"#!/bin/sh
is_output=
for word; do
    case "$word" in
        -Fo* | /Fo*) : > "${word#?Fo}" ;;
        [-/]out:* | [-/]OUT:*) : > "${word#?????}" ;;
        *.a) : > "$word" ;;
        *) if [ -n "$is_output" ]; then : > "$word"; fi ;;
    esac
    is_output=
    if [ "$word" = -o ]; then is_output=yes; fi
done
"#;

/// Says what is missing, and how to have it.
pub fn check(targets: &[&Target]) -> Result<(), String> {
    let mut needed = [CARGO, RUSTC, LIBRARY].map(str::to_owned).to_vec();
    for target in targets {
        if let Work::Run { linker, runner } = target.work {
            needed.extend([format!("/usr/bin/{linker}"), runner[0].to_owned()]);
        }
    }
    match needed.into_iter().find(|tool| !Path::new(tool).exists()) {
        None => no_compiler().map_err(|error| format!("can't write into `{FOLDER}`: {error}")),
        Some(tool) => Err(format!("`{tool}` is missing; on Debian, as root:\n  {INSTALL}")),
    }
}

fn no_compiler() -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = format!("{FOLDER}/no-compiler");
    fs::create_dir_all(FOLDER)?;
    fs::write(&path, NO_COMPILER)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Cargo for a target.
pub fn cargo(target: &Target) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut cargo = Command::new(CARGO);
    cargo.current_dir(ROOT).env("PATH", format!("/usr/bin:{path}"));
    // `-Z` is for compilers of the day, which this one isn't.
    cargo.envs([("RUSTC", RUSTC), ("RUSTC_BOOTSTRAP", "1"), ("CARGO_TARGET_DIR", FOLDER)]);
    cargo.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    // In one profile, so that macros and build scripts are built once.
    cargo.args([if let Work::Check = target.work { "check" } else { "build" }, "--release"]);
    cargo.args(["-Zbuild-std=std,panic_unwind", "--target", target.triple]);
    cargo.args(OPTIMISED.iter().flat_map(|setting| ["--config", setting]));
    for (names, level) in [(&BY_NAME[..], 0), (&INLINED, 3)] {
        for name in names {
            cargo.args(["--config", &format!("profile.release.package.{name}.opt-level={level}")]);
        }
    }
    let triple = target.triple.replace('-', "_");
    match target.work {
        Work::Run { linker, .. } => {
            cargo.env(format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase()), linker);
        }
        Work::Check => {
            let none = format!("{FOLDER}/no-compiler");
            cargo.env(format!("CC_{triple}"), &none).env(format!("AR_{triple}"), &none);
            // Else Xcode would be asked for these two.
            cargo.env("SDKROOT", FOLDER).env("MACOSX_DEPLOYMENT_TARGET", "11.0");
        }
    }
    cargo
}
