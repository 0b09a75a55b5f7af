//! What is too long is found, and the list of exceptions only shrinks.

use super::{LIBRARY, expect, file};
use crate::tidy::limits::{EXCEPTIONS, Function, functions, lowered};
use crate::tidy::{File, check};

fn with_lines(lines: usize) -> String {
    format!("fn f(x: u8) {{\n{}}}", "    g();\n".repeat(lines))
}

#[test]
fn long_files_and_functions_are_found() {
    expect(LIBRARY, &"//\n".repeat(298), &[]);
    expect(LIBRARY, &"//\n".repeat(299), &["301: limits"]);
    expect(LIBRARY, &with_lines(40), &[]);
    expect(LIBRARY, &with_lines(41), &["2: limits"]);
    expect("crates/qwen3-text/tests/x.rs", &with_lines(41), &["2: limits"]);
    expect("docs/x.md", &with_lines(301), &[]);
}

#[test]
fn many_parameters_are_found() {
    expect(LIBRARY, "fn f(a: A, b: B, c: C, d: D) {}", &[]);
    expect(LIBRARY, "fn f(\n    a: A,\n    b: B,\n    c: C,\n    d: D,\n) {}", &[]);
    expect(LIBRARY, "trait T {\n    fn f(a: A, b: B, c: C, d: D, e: E);\n}", &["3: limits"]);
}

#[test]
fn functions_are_measured() {
    for (text, name, lines, parameters) in [
        ("fn f() {}", "f", 0, 0),
        ("pub const unsafe extern \"C\" fn f(x: X) -> Y {\n    a\n}", "f", 1, 1),
        ("fn f(&'a mut self, x: X) {\n{\n}\n\n}", "f", 3, 1),
        ("fn f(self: Box<Self>);\n\n\n", "f", 0, 0),
        ("fn f<F: Fn(A, B) -> C, const N: usize>(f: F, x: [(A, B); N]) {}", "f", 0, 2),
        ("fn f(x: Map<A, B>, (a, b): (A, B)) -> [u8; 2]\nwhere\n    A: B,\n{\n}", "f", 0, 2),
        ("fn f(x: &dyn Fn(A) -> B, y: C) { if a < b { c } }", "f", 0, 2),
        ("fn $name(x: X) {}", "$name", 0, 1),
        ("fn f(n in 1..9, x in a::b(c, d)) {}", "f", 0, 0),
    ] {
        let found = functions(text);
        let at = text.find("fn").unwrap();
        assert_eq!(found, [Function { name, at, lines, parameters }], "{text}");
    }
    assert_eq!(functions("type F = fn(A) -> B; x.map(fn_of);"), []);
}

/// A long function, and what the list says of it: the lines of what is found, and the list then.
fn with_exceptions(function: &str, list: &str) -> (Vec<String>, String) {
    let text = format!("//! Header.\n{function}\n");
    let files: [File; 2] = [file(LIBRARY, &text), file(EXCEPTIONS, list)];
    let found = check(&files).iter().map(|v| format!("{} {}", v.rule, v.text)).collect();
    (found, lowered(&files))
}

#[test]
fn exceptions_only_shrink() {
    let exception = |lines| format!("{LIBRARY} {lines} lines in f\n");
    let (found, list) = with_exceptions(&with_lines(50), &exception(50));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(list, exception(50));

    let (found, list) = with_exceptions(&with_lines(51), &exception(50));
    assert_eq!(found, ["limits 51 lines in f, at most 40; split the function"]);
    assert_eq!(list, exception(50));

    let (found, list) = with_exceptions(&with_lines(49), &exception(50));
    assert!(found[0].starts_with("exceptions lower it to 49"), "{found:?}");
    assert_eq!(list, exception(49));

    for gone in [with_lines(40), with_lines(50).replace("fn f", "const fn g")] {
        let (found, list) = with_exceptions(&gone, &exception(50));
        assert!(found.iter().any(|it| it.contains("remove the line")), "{found:?}");
        assert_eq!(list, "");
    }
}

#[test]
fn a_list_begins_with_what_there_is() {
    let text = format!("//! Header.\n{}\n", with_lines(50));
    assert_eq!(lowered(&[file(LIBRARY, &text)]), format!("{LIBRARY} 50 lines in f\n"));
}
