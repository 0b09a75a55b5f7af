//! Pictures for the guide. `QWEN3_DESK_SCREENSHOTS=docs/desk` writes them there.

use super::*;
use std::fs;

const NOTES: [(&str, &str); 12] = [
    (
        "kitchen/sourdough.md",
        "# Sourdough\n\n## Starter\n\nFeed the starter with flour and water every day. When it doubles \
         in six hours it is strong enough to raise a loaf.\n\n## Dough\n\nMix flour, water, salt and \
         starter. Stretch and fold the dough every half hour, then let it rise in the fridge \
         overnight. Bake it in a hot pot with the lid on for the first twenty minutes, so that the \
         crust stays soft while the loaf rises.\n",
    ),
    (
        "kitchen/pizza.md",
        "# Pizza\n\nA dough with little yeast that rests for a day tastes better than a quick one. \
         Stretch it by hand, never with a rolling pin, or the bubbles of the rim are gone.\n",
    ),
    (
        "kitchen/ramen.md",
        "# Ramen\n\nSimmer pork bones for twelve hours. The broth turns white when the marrow dissolves. \
         Season each bowl with soy sauce, not the pot.\n",
    ),
    (
        "physics/gravity.txt",
        "Gravity pulls every mass toward every other. Close to the ground a stone falls 4.9 metres in \
         the first second, whatever it weighs, as long as the air can be neglected.\n",
    ),
    (
        "physics/tides.txt",
        "The moon pulls the water on its side of the earth more than the earth itself, and the earth \
         more than the water on the far side. So there are two tides a day.\n",
    ),
    (
        "physics/stars.html",
        "<h1>Stars</h1><p>A star shines because hydrogen fuses to helium in its core. The pressure of \
         the radiation keeps it from collapsing.</p>",
    ),
    (
        "garden/roses.md",
        "# Roses\n\nRoses want six hours of sun. Water them in the morning at the root; wet leaves get \
         mildew. Cut them back when the forsythia blooms.\n",
    ),
    (
        "garden/compost.md",
        "# Compost\n\nLayers of green and brown, as moist as a wrung sponge. It smells of forest soil \
         when it is ready, after half a year.\n",
    ),
    (
        "garden/seeds.csv",
        "plant,sown,harvested\ntomato,March,August\nradish,April,May\npumpkin,May,October\n",
    ),
    (
        "code/server.rs",
        "/// Listens on a socket, and answers each connection on a thread of its own.\npub fn listen(address: \
         SocketAddr) -> io::Result<()> {\n    let listener = TcpListener::bind(address)?;\n    for stream in \
         listener.incoming() {\n        let stream = stream?;\n        thread::spawn(move || \
         answer(stream));\n    }\n    Ok(())\n}\n",
    ),
    (
        "code/retry.py",
        "def retry(call, attempts=5):\n    \"\"\"Calls again with growing pauses when the network \
         fails.\"\"\"\n    for attempt in range(attempts):\n        try:\n            return call()\n        \
         except ConnectionError:\n            time.sleep(2 ** attempt)\n",
    ),
    (
        "code/README.md",
        "# A small web server\n\nIt has one thread for each connection, and no dependency. Start it with \
         `cargo run`, and stop it with Ctrl+C.\n",
    ),
];

/// Words of many things.
pub const WORDS: &str = "water fire bread stone river winter engine letter garden moon horse school \
    market island doctor music paper window iron salt forest bridge captain harvest thunder copper \
    village library violin lantern orchard harbour kitchen mountain teacher battery pressure signal \
    grammar treaty glacier compass saddle feather marble textile volcano parliament telescope recipe";

/// A folder with notes, under a name that looks like a person's.
fn home() -> (TempDir, Vec<PathBuf>) {
    let temporary = tempfile::tempdir().unwrap();
    let home = temporary.path().join("Documents");
    for (name, text) in NOTES {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let folders = ["kitchen", "physics", "garden", "code"].map(|name| home.join(name));
    (temporary, folders.to_vec())
}

fn picture(program: &mut Program, folder: &Path, name: &str) {
    for _ in 0..4 {
        program.harness.step();
    }
    let image = program.harness.render().unwrap();
    image.save(folder.join(format!("{name}.png"))).unwrap();
}

#[test]
fn screenshots() {
    let Ok(folder) = std::env::var("QWEN3_DESK_SCREENSHOTS") else {
        println!("QWEN3_DESK_SCREENSHOTS names no folder for pictures");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    fs::create_dir_all(&folder).unwrap();
    for (appearance, suffix) in [(Appearance::Light, "light"), (Appearance::Dark, "dark")] {
        let setup = |folders: &[PathBuf]| {
            let mut setup = Setup { size: [1000.0, 640.0], ..Setup::default() };
            setup.settings.appearance = appearance;
            setup.settings.folders = folders.to_vec();
            setup
        };
        let mut program = Program::start(setup(&[]));
        program.settle();
        picture(&mut program, &folder, &format!("first-start-{suffix}"));

        let (_home, folders) = home();
        let mut program = Program::start(setup(&folders));
        program.settle();
        picture(&mut program, &folder, &format!("help-{suffix}"));
        for view in [View::Map, View::Folders, View::Models, View::Settings] {
            program.window().view = view;
            program.wait("the map", |program| {
                program.window().view != View::Map || program.window().map.is_drawn()
            });
            picture(&mut program, &folder, &format!("{}-{suffix}", view.label().to_lowercase()));
        }
        program.window().view = View::Search;
        program.harness.step();
        program.type_query("how do I get the dough to rise?");
        picture(&mut program, &folder, &format!("results-{suffix}"));
    }
}
