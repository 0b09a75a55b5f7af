//! Other models, and devices that get lost.

use super::*;

#[test]
fn another_model_is_used_once_its_index_is_there() {
    let (mut program, _notes) = with_notes();
    program.click("Models");
    let other = format!("{}/../../tests/fixtures/tiny-embedding", env!("CARGO_MANIFEST_DIR"));
    let field = program.harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    field.type_text(&other);
    program.harness.step();
    program.harness.step();
    program.click("Use");
    program.wait("the other model", |program| program.window().status.model == other);
    program.settle();
    assert_eq!(program.window().status.indexed, 5);
    let kept = Settings::read(&Places::within(program.data.path()).settings).unwrap();
    assert_eq!(kept.model, other);
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
