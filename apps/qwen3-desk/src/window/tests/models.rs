//! Other models, and devices that get lost.

use super::*;

#[test]
fn another_model_is_used_once_its_index_is_there() {
    let (mut program, _notes) = with_notes();
    program.click("Models");
    let other = format!("{}/../../tests/fixtures/tiny-embedding", env!("CARGO_MANIFEST_DIR"));
    let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    // As a shell would quote it.
    field.type_text(&format!("'{other}'"));
    program.harness.step();
    program.harness.step();
    program.click("Use");
    program.wait("the other model", |program| program.window().status.model == other);
    program.settle();
    assert_eq!(program.window().status.indexed, 5);
    let kept = Settings::read(&Places::within(program.data.path()).settings).unwrap();
    assert_eq!(kept.model, other);
}

#[test]
fn what_can_not_search_is_told_before_it_is_kept() {
    let (mut program, notes) = with_notes();
    program.click("Models");
    let fixtures = format!("{}/../../tests/fixtures", env!("CARGO_MANIFEST_DIR"));
    let paths = [
        ("/no/such/model".to_owned(), "There is no /no/such/model."),
        (notes.path().display().to_string(), "config.json"),
        (format!("{fixtures}/tiny-reranker-tied"), "reranker"),
        (format!("{fixtures}/README.md"), "README.md"),
    ];
    for (path, told) in paths {
        program.window().models.type_path(&path);
        program.harness.step();
        let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
        field.focus();
        program.harness.step();
        program.key(egui::Key::Enter);
        program.wait("the problem", |program| program.window().models.problem.is_some());
        let problem = program.window().models.problem.clone().unwrap();
        assert!(problem.contains(told) && program.sees(&problem), "{path}: {problem}");
        let kept = Settings::read(&Places::within(program.data.path()).settings).unwrap();
        assert_eq!(kept.model, "mini", "{path}");
    }
}

#[test]
fn a_model_that_is_gone_is_told_to_whoever_searches() {
    let notes = notes();
    let mut setup = Setup::default();
    setup.settings.add_folder(notes.path().to_owned());
    setup.settings.model = "/no/such/model".to_owned();
    let mut program = Program::start(setup);
    program.type_query("bread");
    program.wait("the reason", |program| program.sees_part("the model can't be loaded: "));
    program.click("Models");
    program.click_first("Use");
    program.click("Search");
    program.wait("an answer", |program| program.first() == "bread.md");
}

static LOST: AtomicUsize = AtomicUsize::new(0);

/// A device that is lost at the first and at the third passage.
fn unreliable(index: &Path) -> Machinery {
    let load_model = |choice: &crate::model::Choice, hooks: &qwen3_engine::Hooks| {
        let model = Library::default().load_model(choice, hooks)?;
        let encode = model.encode;
        let lost = move |role, texts: &[String], cancel: &qwen3_engine::CancelToken| {
            let call = LOST.fetch_add(1, Ordering::Relaxed);
            if call == 0 || call == 2 {
                let (device, message) = (qwen3_engine::DeviceId::Cpu, "gone".to_owned());
                return Err(Error::DeviceLost { device, message });
            }
            encode(role, texts, cancel)
        };
        Ok(crate::model::Model { encode: Box::new(lost), ..model })
    };
    Machinery { load_model: Box::new(load_model), ..machinery(index) }
}

#[test]
fn a_lost_device_is_told_and_survived() {
    let notes = notes();
    let mut setup = Setup { machinery: Box::new(unreliable), ..Setup::default() };
    setup.settings.add_folder(notes.path().to_owned());
    let mut program = Program::start(setup);
    let told = Arc::new(Mutex::new(false));
    program.wait("up to date", |program| {
        if let Activity::Waiting(problem) = &program.window().status.activity {
            *told.lock().unwrap() |= problem.contains("was lost");
        }
        program.window().status.activity == Activity::UpToDate
    });
    assert!(*told.lock().unwrap());
    assert_eq!(program.window().status.indexed, 5);
}
