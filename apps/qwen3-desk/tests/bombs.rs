//! Files that take more than a computer has, next to good ones.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_qwen3-desk");

fn program(data: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("--data").arg(data).args(arguments).output().unwrap()
}

/// A PDF of one page, which does `content`.
fn pdf(content: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R \
            /Resources << /Font << /F 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let (mut file, mut places) = ("%PDF-1.4\n".to_owned(), vec![]);
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let table = file.len();
    file += &format!("xref\n0 {}\n0000000000 65535 f \n", places.len() + 1);
    places.iter().for_each(|place| file += &format!("{place:010} 00000 n \n"));
    let size = places.len() + 1;
    file += &format!("trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    file.into_bytes()
}

#[test]
fn a_pdf_that_takes_too_much_costs_itself_alone() {
    let (notes, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |name: &str, bytes: &[u8]| fs::write(notes.path().join(name), bytes).unwrap();
    let say = |words: &str| format!("BT /F 12 Tf 50 700 Td ({words}) Tj ET");
    write("a.txt", b"Gravity pulls apples to the ground.");
    write("bomb.pdf", &pdf(&format!("BT /F 12 Tf {} ET", "(a)Tj ".repeat(8 << 20))));
    write("bread.pdf", &pdf(&say("Let the yeast rise overnight.")));
    write("cats.html", b"<h1>Cats</h1><p>A kitten purrs.</p>");

    let folder = notes.path().to_str().unwrap();
    let output = program(data.path(), &["index", folder]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("4 files, 3 of 3 passages"), "{told}");
    let bomb = notes.path().join("bomb.pdf");
    let problem = format!("`{}` takes too much memory to read", bomb.display());
    assert!(told.contains(&problem), "{told}");
    let found = program(data.path(), &["search", "-n", "1", "how do I bake a loaf?"]);
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains("bread.pdf:1") && found.contains("yeast rise"), "{found}");

    // It is not tried again until it changes.
    let start = std::time::Instant::now();
    let output = program(data.path(), &["index"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&problem), "{told}");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn text_is_printed_without_an_index() {
    let print = |format: &str, input: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["text", format]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let page = print("html", "<h1>Bread</h1><p>Knead it.</p>");
    let text = String::from_utf8(page.stdout).unwrap();
    assert!(page.status.success() && text.contains("Knead it."), "{text}");
    let broken = print("pdf", "%PDF-1.4 and then nothing");
    assert_eq!(broken.status.code(), Some(1));
    assert!(!broken.stdout.is_empty());
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("search") && !help.contains("text  "), "{help}");
}
