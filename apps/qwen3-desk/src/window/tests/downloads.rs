//! Downloads from a hub of this machine: progress, cancelling, going on, and what goes wrong.

// The tests of the command use the rest of it.
#[allow(dead_code)]
#[path = "../../../../../crates/qwen3-cli/tests/cli/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../../../../../crates/qwen3-cli/tests/cli/hub_server.rs"]
mod hub_server;

use super::*;
use crate::worker::Command;
use hub_server::{Flaw, Hub};
use std::fs;

const REPOSITORY: &str = "Qwen/Qwen3-Embedding-0.6B-GGUF";
const MODEL: &str = "Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0";
const BYTES: u64 = 89_600;

/// A program with notes, whose models come from a hub with a small one under a published name.
struct Downloading {
    program: Program,
    hub: Hub,
    _notes: TempDir,
}

impl Downloading {
    fn start(flaw: Flaw) -> Self {
        let files = tempfile::tempdir().unwrap();
        let file = "../../tests/fixtures/gguf/tiny-embedding-q8_0.gguf";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::copy(file, files.path().join("Qwen3-Embedding-0.6B-Q8_0.gguf")).unwrap();
        let hub = Hub::serve_named(REPOSITORY, files.path(), flaw);
        let endpoint = Some(hub.endpoint());
        let notes = notes();
        let mut setup = Setup {
            machinery: Box::new(|index| {
                let cache_folder = Some(index.with_file_name("models"));
                Machinery::new(index.to_owned(), Library { endpoint, cache_folder })
            }),
            ..Setup::default()
        };
        setup.settings.add_folder(notes.path().to_owned());
        let mut program = Program::start(setup);
        program.settle();
        program.click("Models");
        Self { program, hub, _notes: notes }
    }

    /// Begins a download. Its size is said before.
    fn begin(&mut self) {
        self.program.wait("the button", |program| program.sees("Download 639 MB"));
        self.program.click("Download 639 MB");
    }

    fn wait_for(&mut self, what: &str, is_so: impl Fn(&Download) -> bool) -> Download {
        let mut found = None;
        self.program.wait(what, |program| {
            found = program.window().status.downloads.first().cloned();
            found.as_ref().is_some_and(&is_so)
        });
        found.expect("it is so")
    }

    fn problem(&mut self) -> String {
        let failed = self.wait_for("a problem", |download| download.problem.is_some());
        let problem = failed.problem.expect("it has one");
        assert!(self.program.sees(&problem) && self.program.sees("Download 639 MB"));
        problem
    }

    fn is_here(&mut self) -> bool {
        self.program.window().models.here.contains(MODEL)
    }

    fn wait_until_here(&mut self) {
        self.program.wait("the model", |program| program.window().models.here.contains(MODEL));
        assert!(self.program.window().status.downloads.is_empty());
    }
}

#[test]
fn a_download_is_cancelled_and_goes_on_and_its_model_takes_over() {
    let mut downloading = Downloading::start(Flaw::IsSlow);
    downloading.begin();
    let part = downloading.wait_for("progress", |download| download.bytes > 2_000);
    assert!(part.bytes < BYTES && part.total_bytes == BYTES, "{part:?}");
    downloading.program.click("Cancel");
    downloading.program.wait("the end of it", |program| {
        program.window().status.downloads.is_empty() && program.sees("Download 639 MB")
    });
    assert!(!downloading.is_here());

    downloading.hub.change(Flaw::None);
    downloading.begin();
    downloading.wait_until_here();
    let starts = downloading.hub.starts();
    assert!(starts.last().is_some_and(|&start| start >= 2_000), "{starts:?}");

    let program = &mut downloading.program;
    program.window().worker.command(Command::Pause(true));
    program.wait("a pause", |program| program.window().status.activity == Activity::Paused);
    program.click_first("Use");
    program.wait("the next model", |program| program.window().status.next_model.is_some());
    program.click("Search");
    program.type_query("how do I bake a loaf?");
    assert_eq!(program.window().status.model, "mini");
    assert_eq!(program.first(), "bread.md");
    program.window().worker.command(Command::Pause(false));
    program.wait("the model", |program| program.window().status.model == MODEL);
    program.settle();
    assert_eq!(program.window().status.indexed, 5);
    program.wait("its answer", |program| {
        let found = program.window().search.found.as_ref().expect("the query stands");
        found.problem.is_none() && found.hits.len() == 5
    });
}

#[test]
fn a_download_that_is_damaged_or_breaks_off_is_told_and_done_again() {
    let mut downloading = Downloading::start(Flaw::DamagesWeights);
    downloading.begin();
    let problem = downloading.problem();
    assert!(problem.contains("arrived damaged"), "{problem}");
    assert!(!downloading.is_here());

    downloading.hub.change(Flaw::BreaksOff { after_bytes: 20_000, times: 100 });
    downloading.begin();
    let problem = downloading.problem();
    assert!(problem.contains("can't download"), "{problem}");
    assert!(!downloading.is_here());

    downloading.hub.change(Flaw::None);
    downloading.begin();
    downloading.wait_until_here();
}
