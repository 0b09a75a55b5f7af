//! What is taken, and how the rest is refused.

use super::{Error, Fields, Kind};

#[test]
fn what_has_one_meaning_is_taken() {
    let json = r#"{"n": "5", "f": 5.0, "big": 1e30, "yes": "True", "no": 0, "null": null,
                   "twice": 1, "twice": 2, "gone": 1, "gone": null}"#;
    let fields = Fields::of_body(json).unwrap();
    let whole = |name| fields.whole(&[name]).unwrap();
    assert_eq!((whole("n"), whole("f"), whole("twice")), (Some(5), Some(5), Some(2)));
    assert_eq!((whole("big"), whole("null"), whole("gone")), (Some(i64::MAX), None, None));
    assert_eq!(fields.flag(&["yes"]).unwrap(), Some(true));
    assert_eq!(fields.flag(&["no"]).unwrap(), Some(false));
}

#[test]
fn what_has_none_is_refused_by_its_path() {
    let json = r#"{"a": [1, {"b": 1.5, "c": ["x", null]}], "d": "maybe", "e": 1, "f": 1}"#;
    let fields = Fields::of_body(json).unwrap();
    let list = fields.need(&["a"]).unwrap();
    let nested = |read: fn(Fields<'_>) -> Error| {
        let each = list.each("a list", |item| match item.kind() {
            Kind::Object => Err(read(item.object()?)),
            _ => Ok(()),
        });
        each.unwrap_err()
    };
    for (error, expected) in [
        (
            nested(|fields| fields.whole(&["b"]).unwrap_err()),
            "`a[1].b` must be a whole number. Given: a number",
        ),
        (
            nested(|fields| {
                fields.need(&["c"]).unwrap().each("texts", |item| item.text()).unwrap_err()
            }),
            "`a[1].c[1]` must be a text. Given: null",
        ),
        (nested(|fields| fields.need(&["z"]).err().unwrap()), "`a[1].z` is missing"),
        (fields.flag(&["d"]).unwrap_err(), "`d` must be `true` or `false`. Given: a text"),
        (fields.whole(&["e", "f"]).unwrap_err(), "`f` says the same as `e`; send one"),
        (fields.count(&["e"], 2).unwrap_err(), "`e` must be at least 2. Given: 1"),
        (list.ids().unwrap_err(), "`a[1]` must be a token id. Given: an object"),
        (Fields::of_body("[1]").err().unwrap(), "`body` must be an object. Given: a list"),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn depth_and_many_fields_cost_nothing() {
    let deep = format!(r#"{{"x": {}1{}, "y": 1}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(Fields::of_body(&deep).unwrap().has("y"));
    let names: Vec<String> = (0..2000).map(|i| format!("\"{i}\": {i}")).collect();
    let error = Fields::of_body(&format!("{{{}}}", names.join(","))).err().unwrap();
    assert_eq!(error.to_string(), "`body` has more than 1000 fields");
}
