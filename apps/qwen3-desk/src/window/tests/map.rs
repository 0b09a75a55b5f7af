//! The map, and what it is drawn of.

use super::*;
use std::fs;

fn names(program: &mut Program) -> Vec<String> {
    program.window().map.names()
}

#[test]
fn the_map_is_drawn_again_when_a_file_has_another_name() {
    let (mut program, notes) = with_notes();
    program.click("Map");
    program.wait("points", |program| names(program).contains(&"bread.md".to_owned()));
    program.click("Search");
    fs::rename(notes.path().join("bread.md"), notes.path().join("loaf.md")).unwrap();
    program.type_query("bread");
    program.wait("its new name", |program| program.first() == "loaf.md");
    program.settle();
    assert_eq!(program.window().status.indexed, 5, "as many as before");
    program.click("Map");
    program.wait("its point", |program| names(program).contains(&"loaf.md".to_owned()));
    assert!(!names(&mut program).contains(&"bread.md".to_owned()));
}
