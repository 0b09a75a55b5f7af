//! Every rule catches its bad example, and lets the good one pass.

mod limits;
mod reading;

use super::{File, ROOT, check, layers, read, rules};
use std::path::Path;

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// Asserts that exactly these `line: rule` are found in one file. Rust files
/// get their header, so the text begins on line 2.
fn expect(path: &str, text: &str, expected: &[&str]) {
    let text = match path.ends_with(".rs") {
        true => format!("//! Header.\n{text}\n"),
        false => format!("{text}\n"),
    };
    let found = check(&[file(path, &text)]);
    let found: Vec<String> = found.iter().map(|v| format!("{}: {}", v.line, v.rule)).collect();
    assert_eq!(found, expected, "{path}:\n{text}");
}

const LIBRARY: &str = "crates/qwen3-text/src/lib.rs";
const KERNEL: &str = "crates/qwen3-kernels/src/matmul.rs";

#[test]
fn the_repository_is_tidy() {
    let files = read().unwrap();
    assert!(files.len() > 50, "{} files: is that the repository?", files.len());
    let found: Vec<String> = check(&files).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_places_that_rules_name_exist() {
    let is_there = |path: &str| Path::new(ROOT).join(path).exists();
    for path in [rules::MODEL, rules::BACKEND, rules::HUB, rules::DIALECTS] {
        assert!(is_there(path), "{path}");
    }
    for (name, _) in layers::OURS {
        let folder = match name {
            "xtask" => "xtask".to_owned(),
            "qwen3-proof" => "proof".to_owned(),
            "qwen3-fuzz" => "fuzz".to_owned(),
            "qwen3-desk" => "apps/qwen3-desk".to_owned(),
            _ => format!("crates/{name}"),
        };
        assert!(is_there(&format!("{folder}/Cargo.toml")), "{name}");
    }
}

#[test]
fn the_network_is_defined_once() {
    let text = "pub struct DecoderLayer<B> {}\npub(crate) struct  Qwen3;\nstruct Qwen3Config;";
    expect("crates/qwen3/src/model.rs", text, &[]);
    expect("crates/qwen3/src/fast.rs", text, &["2: one-network", "3: one-network"]);
    expect(LIBRARY, "// struct Qwen3\nimpl Qwen3 {}", &[]);
    // A test may call the command by its name.
    expect("crates/qwen3-cli/tests/x.rs", "struct Qwen3;", &[]);
}

#[test]
fn no_dialect_knows_another() {
    let dialects = rules::DIALECTS;
    let bad = "use super::{openai, tei};";
    expect(&format!("{dialects}tei.rs"), bad, &["2: dialects"]);
    expect(&format!("{dialects}tei/embed.rs"), bad, &["2: dialects"]);
    expect(&format!("{dialects}vllm.rs"), bad, &["2: dialects", "2: dialects"]);
    // What dispatches knows them all.
    expect(&format!("{dialects}by_body.rs"), bad, &[]);
    expect(&format!("{dialects}openai.rs"), "// as of tei\nlet openai = \"vllm\";", &[]);
}

#[test]
fn the_model_names_no_backend() {
    let model = "crates/qwen3/src/model.rs";
    for bad in ["use burn_flex::Flex;", "fn f(x: NdArray) {}", "type B = CubeBackend<A>;"] {
        let found = check(&[file(model, &format!("//! Header.\n{bad}\n"))]);
        assert!(found.iter().all(|v| v.rule == "no-backend-in-the-model"), "{bad}");
        assert!(!found.is_empty(), "{bad}");
    }
    expect(model, "use burn::tensor::backend::Backend; // not Cuda\nDType::Flex32;", &[]);
    expect("crates/qwen3-kernels/src/x.rs", "use burn_flex::Flex;", &[]);
}

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\n{rest}")
}

#[test]
fn dependencies_point_down() {
    let expect_arrows = |name: &str, rest: &str, expected: &[&str]| {
        expect(&format!("crates/{name}/Cargo.toml"), &manifest(name, rest), expected);
    };
    expect_arrows("qwen3-text", "[dependencies]\nburn.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-text", "[dependencies]\nqwen3 = \"1\"", &["4: arrows"]);
    expect_arrows("qwen3", "[dependencies]\ntokenizers = \"1\"", &["4: arrows"]);
    expect_arrows("qwen3", "[dependencies]\nqwen3-text.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3", "[dependencies]\nburn.workspace = true\nqwen3-kernels = \"1\"", &[]);
    expect_arrows("qwen3", "[dependencies]\nburn-flex.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-kernels", "[dependencies]\nqwen3.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-wgpu", "[dependencies]\nqwen3-engine = \"1\"", &["4: arrows"]);
    expect_arrows("qwen3-wgpu", "[target.'cfg(unix)'.dependencies]\nburn-wgpu = \"1\"", &[]);
    expect_arrows("qwen3-engine", "[build-dependencies]\nqwen3-cli = \"1\"", &["4: arrows"]);
    expect_arrows("qwen3-engine", "[dependencies.cubecl]\nversion = \"1\"", &["3: arrows"]);
    expect_arrows("qwen3-cli", "[dependencies]\ng = { package = \"wgpu\" }", &["4: arrows"]);
    expect_arrows("qwen3-engine", "[dependencies]\ntokio.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-engine", "[dependencies]\nqwen3-server.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-server", "[dependencies]\ntokio = \"1\"\nqwen3-engine = \"1\"", &[]);
    expect_arrows("qwen3-kernels", "[dependencies]\nqwen3-sys.workspace = true", &["4: arrows"]);
    expect_arrows("qwen3-cuda", "[dependencies]\nqwen3-sys = \"1\"\ncudarc = \"1\"", &[]);
    expect_arrows("qwen3-sys", "[dependencies]\nqwen3-kernels = \"1\"", &["4: arrows"]);
    expect_arrows("qwen3-checks", "[dependencies]\nqwen3-engine = \"1\"", &[]);
    expect_arrows("qwen3-checks", "[dependencies]\nqwen3.workspace = true", &["4: arrows"]);
    // What only tests see is free.
    expect_arrows("qwen3", "[dev-dependencies]\nburn-flex.workspace = true", &[]);
    expect_arrows("qwen3-new", "", &["1: arrows"]);
    let xtask = manifest("xtask", "[dev-dependencies]\ntempfile = \"3\"");
    expect("xtask/Cargo.toml", &xtask, &["4: arrows"]);
    let tests = manifest("e2e", "[dependencies]\nqwen3-engine = \"1\"\ncudarc = \"1\"");
    expect("tests/Cargo.toml", &tests, &["5: arrows"]);
}

#[test]
fn backends_are_switched_in_one_place() {
    let text = "#[cfg(feature = \"cuda\")]\nfn f() {}\nlet x = cfg!(all(unix, feature=\"cpu\"));";
    expect("crates/qwen3/src/model.rs", text, &["2: features", "4: features"]);
    expect("crates/qwen3-engine/src/device.rs", text, &["2: features", "4: features"]);
    expect("crates/qwen3-engine/src/device/backends.rs", text, &[]);
    expect(KERNEL, text, &[]);
    let in_test = "#[cfg(test)]\nmod tests {\n#[cfg(feature = \"cpu\")]\nfn f() {}\n}";
    expect("crates/qwen3-engine/src/device.rs", in_test, &[]);
    expect(LIBRARY, in_test, &["4: features"]);
    expect(LIBRARY, "// cfg(feature = \"cuda\")\n#[cfg(feature = \"serde\")]\nfn f() {}", &[]);
}

#[test]
fn unsafe_code_is_in_two_crates() {
    let text = "// Safety: none.\nunsafe { f() }";
    expect(LIBRARY, text, &["3: unsafe"]);
    expect("tests/x.rs", text, &["3: unsafe"]);
    expect(KERNEL, text, &[]);
    expect("crates/qwen3-sys/src/mapped_file.rs", text, &[]);
    expect("crates/qwen3-sys/src/cuda.rs", "unsafe { f() }", &["2: safety"]);
    expect(LIBRARY, "// unsafe\nlet unsafe_code = \"unsafe { }\";", &[]);
}

#[test]
fn unsafe_code_is_explained() {
    expect(KERNEL, "fn f() {\n    unsafe { g() }\n}", &["3: safety"]);
    expect(KERNEL, "// Safety: far.\n\nunsafe { g() }", &["4: safety"]);
    expect(KERNEL, "let x = \"\n// Safety: text.\n\";\nunsafe { g() }", &["5: safety"]);
    expect(
        KERNEL,
        "// Safety: for both.\nunsafe impl Send for X {}\nunsafe impl Sync for X {}",
        &[],
    );
    let far = |lines| format!("// Safety: far.\n{}unsafe {{ g() }}", "let x = 1;\n".repeat(lines));
    expect(KERNEL, &far(6), &[]);
    expect(KERNEL, &far(7), &["10: safety"]);
    let long = format!("// Safety: long.\n{}unsafe {{ g() }}", "// And more.\n".repeat(9));
    expect(KERNEL, &long, &[]);

    expect(KERNEL, "/// Docs.\npub unsafe fn f() {}", &["3: safety"]);
    expect(KERNEL, "/// Docs.\n///\n/// # Safety\n/// X.\n#[inline]\npub unsafe fn f() {}", &[]);
    expect(KERNEL, "/// # Safety\n/// X.\nfn f() {}\nunsafe fn g() {}", &["5: safety"]);
    // The trait says what it asks of its caller.
    expect(KERNEL, "// Safety: X.\nunsafe impl T for S {\n    unsafe fn g() {}\n}", &[]);
    let other = "// Safety: X.\nunsafe impl T for S {}\nimpl S {\n    unsafe fn g() {}\n}";
    expect(KERNEL, other, &["5: safety"]);
    expect(KERNEL, "unsafe extern \"C\" {\n    fn f();\n}", &["2: safety"]);
    expect(KERNEL, "/// # Safety\nunsafe extern \"C\" fn f() {}", &[]);
    expect(
        KERNEL,
        "// Safety: fn.\nunsafe { fn_of(x) }\ntype F = unsafe extern \"C\" fn(u8);",
        &[],
    );
}

#[test]
fn drafts_are_not_kept() {
    let text = "todo!()\nunimplemented!(\"x\")\ndbg!(x)\n#[ignore]\n#[ignore = \"slow\"]";
    let expected: Vec<String> = (2..7).map(|line| format!("{line}: unfinished")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expect("tests/x.rs", text, &expected);
    expect("tests/x.rs", "// todo!()\nlet todo = \"dbg!(1)\"; todo != x; vec![ignore];", &[]);
}

#[test]
fn libraries_do_not_print() {
    let text = "println!();\neprint!(\"\");\nstd::io::stderr().lock();";
    let expected = ["2: printing", "3: printing", "4: printing"];
    expect(LIBRARY, text, &expected);
    for allowed in ["crates/qwen3-cli/src/x.rs", "xtask/src/x.rs", "examples/x.rs", "tests/x.rs"] {
        expect(allowed, text, &[]);
    }
    expect("crates/qwen3-text/tests/x.rs", text, &[]);
    expect(LIBRARY, "#[cfg(test)]\nfn f() { println!() }\n//! println!()", &[]);
    expect(LIBRARY, "#[cfg(test)]\nfn f() {}\nfn g() { println!() }", &["4: printing"]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    let text = "let x = std::env::var_os(\"X\");\nenv::vars();\nenv!(\"X\");";
    expect(LIBRARY, text, &["2: environment", "3: environment"]);
    let free = ["crates/qwen3-engine/src/files/hub.rs", "crates/qwen3-cli/src/x.rs", "tests/x.rs"];
    for path in free.into_iter().chain(["crates/qwen3-kernels/build.rs"]) {
        expect(path, text, &[]);
    }
}

#[test]
fn threads_are_started_by_the_engine() {
    let text = "std::thread::spawn(f);\nthread::scope(f);\nrayon::spawn(f);\nasync fn g() {}";
    let expected = ["2: threads", "3: threads", "4: threads", "5: threads"];
    expect(KERNEL, text, &expected);
    expect("crates/qwen3-engine/src/x.rs", text, &[]);
    expect("crates/qwen3-server/src/x.rs", text, &[]);
    expect("crates/qwen3-text/tests/x.rs", text, &[]);
    expect(
        KERNEL,
        "use rayon::prelude::*;\nx.par_iter().scope(rayon::current_num_threads());",
        &[],
    );
}

#[test]
fn kernels_have_a_reference() {
    let fast = file("crates/qwen3-kernels/src/softmax/gpu.rs", "//! Fast.\n");
    let slow = file("crates/qwen3-kernels/src/softmax/reference.rs", "//! Slow.\n");
    let found = check(std::slice::from_ref(&fast));
    assert_eq!(found.len(), 1);
    let expected = "crates/qwen3-kernels/src/softmax:1: reference: ";
    assert!(found[0].to_string().starts_with(expected), "{}", found[0]);
    assert!(check(&[fast, slow]).is_empty());
}

#[test]
fn text_is_plain() {
    expect(LIBRARY, "fn f() {} \n\tx", &["2: white-space", "3: white-space"]);
    expect("README.md", "a  \nb\tc\r", &["1: white-space", "2: white-space"]);
    let found = check(&[file("README.md", "no newline")]);
    assert_eq!(found[0].to_string(), "README.md:1: white-space: no newline at the end of the file");
    assert_eq!(check(&[file("x.rs", "use a;\n")])[0].rule, "header");
}

#[test]
fn file_names_say_something() {
    expect("crates/qwen3/src/utils.rs", "", &["1: file-name"]);
    expect("tests/common/mod.rs", "", &["1: file-name"]);
    expect("crates/qwen3/src/base64.rs", "", &[]);
    expect("docs/base.md", "", &[]);
}
