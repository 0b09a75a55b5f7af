//! Source and manifests are read as the compiler reads them, as far as rules need it.

use crate::tidy::code::{code, without_tests, words};
use crate::tidy::manifest::{dependencies, package};

#[test]
fn comments_and_literals_are_no_code() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("a\"b", c)"#, r#"f("....", c)"#),
        ("r\"a\\\" + b", "r\"..\" + b"),
        (r###"br##"a"#b"## + c"###, r###"br##"...."## + c"###),
        ("r#type + for r in", "r#type + for r in"),
        (r"'a' '\'' '\u{1F600}' '\\' 'ü'", "'.' '..' '.........' '..' '..'"),
        ("fn f<'a>(x: &'a str) -> 'b'", "fn f<'a>(x: &'a str) -> '.'"),
        ("'\"' + \"'\" // x", "'.' + \".\"     "),
        ("\"a\nb // c\" d", "\".\n......\" d"),
        ("\"\" + x", "\"\" + x"),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}

#[test]
fn items_of_tests_end_where_they_end() {
    for (text, expected) in [
        ("#[cfg(test)] mod tests; a", "a"),
        ("#[cfg(test)] fn f(x: [u8; 2]) { { } } a", "a"),
        ("#[cfg(test)] #[test] const X: [u8; 2] = [1, 2]; a", "a"),
        ("#[cfg(all(test, unix))] mod t { fn f() {} } a", "a"),
        ("mod b { #[cfg(test)] x: u8 } a", "mod b { } a"),
        ("#[cfg(not(test))] b; a", "#[cfg(not(test))] b; a"),
    ] {
        let found = without_tests(text);
        let found: Vec<&str> = found.split_whitespace().collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}

#[test]
fn words_have_offsets() {
    let found: Vec<_> = words("a_1::b ü(c)").collect();
    assert_eq!(found, [(0, "a_1"), (5, "b"), (10, "c")]);
}

#[test]
fn manifests_are_read() {
    let text = "[package]\nname = \"x\"\n[workspace.dependencies]\na = \"1\"\n[dependencies]\n\
        # b = \"1\"\nc.workspace = true\nd = { version = \"1\", features = [\n    \"e\",\n] }\n\
        [features]\nf = []\n[target.'cfg(a.b)'.dev-dependencies]\ng = \"1\"\n";
    assert_eq!(package(text), Some("x"));
    assert_eq!(package("[workspace]\n"), None);
    let found: Vec<_> = dependencies(text).into_iter().map(|d| (d.name, d.for_tests)).collect();
    assert_eq!(found, [("c", false), ("d", false), ("g", true)]);
}
