//! What people chose, kept from one start to the next.

use directories::ProjectDirs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the program keeps its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub settings: PathBuf,
    pub index: PathBuf,
    /// Held by the one process that has the index.
    pub lock: PathBuf,
}

impl Places {
    /// Where the system wants them.
    pub fn of_the_user() -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "qwen3-desk")?;
        let data = dirs.data_local_dir();
        Some(Self { settings: dirs.config_dir().join("settings.json"), ..Self::within(data) })
    }

    /// All in one folder.
    pub fn within(folder: &Path) -> Self {
        Self {
            settings: folder.join("settings.json"),
            index: folder.join("index.redb"),
            lock: folder.join("lock"),
        }
    }
}

/// How much of the machine indexing takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// A quarter of the time.
    Gentle,
    /// Half of the time.
    #[default]
    Normal,
    /// All of it.
    Full,
}

impl Pace {
    pub const ALL: [Self; 3] = [Self::Gentle, Self::Normal, Self::Full];

    /// How long to rest after work, in times of the work.
    pub fn rest(self) -> u32 {
        match self {
            Self::Gentle => 3,
            Self::Normal => 1,
            Self::Full => 0,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Gentle => "Gentle",
            Self::Normal => "Normal",
            Self::Full => "Full speed",
        }
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    #[default]
    System,
    Light,
    Dark,
}

impl Appearance {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn label(self) -> &'static str {
        match self {
            Self::System => "As the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// Why the settings of a file are not used.
#[derive(Debug, thiserror::Error)]
#[error("the settings can't be read: {reason}; {fate}")]
pub struct Unusable {
    reason: String,
    /// What became of the file.
    fate: String,
}

/// The settings. What a file of another version doesn't say has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub folders: Vec<PathBuf>,
    /// `mini`, an id on the hub, or the path of a model.
    pub model: String,
    pub reranker: Option<String>,
    /// `auto`, or a device by its name.
    pub device: String,
    pub pace: Pace,
    pub appearance: Appearance,
    pub is_paused: bool,
    /// What a later version keeps here.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folders: vec![],
            model: "mini".to_owned(),
            reranker: None,
            device: "auto".to_owned(),
            pace: Pace::default(),
            appearance: Appearance::default(),
            is_paused: false,
            rest: Map::new(),
        }
    }
}

impl Settings {
    /// Those of a file, or the defaults if there is none. A file that isn't understood is put
    /// aside, since people may have a use for it. What takes its place pauses indexing, at the next
    /// start too: without its folders the index would be emptied.
    pub fn read(path: &Path) -> Result<Self, Unusable> {
        let reason = match std::fs::read_to_string(path) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(said) => match Self::of(said) {
                    Ok(settings) => return Ok(settings),
                    Err(reason) => reason,
                },
                Err(error) => error.to_string(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => error.to_string(),
        };
        let aside = path.with_extension("damaged");
        let paused = Self { is_paused: true, ..Self::default() };
        let replaced = std::fs::rename(path, &aside).and_then(|()| {
            // Without them the next start would know of no damage.
            paused.write(path).inspect_err(|_| drop(std::fs::rename(&aside, path)))
        });
        let fate = match replaced {
            Ok(()) => format!("they are kept as `{}`", aside.display()),
            Err(error) => format!("`{}` stays where it is: {error}", path.display()),
        };
        Err(Unusable { reason, fate })
    }

    /// Setting by setting: another version may have written values that mean nothing here. Not the
    /// folders: without them the index would be emptied.
    fn of(said: Map<String, Value>) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, value) in said {
            let mut all = serde_json::to_value(&settings).expect("settings are valid JSON");
            all[&name] = value;
            settings = match serde_json::from_value(all) {
                Ok(settings) => settings,
                Err(error) if name == "folders" => {
                    return Err(format!("`folders` is no list of paths: {error}"));
                }
                Err(_) => settings,
            };
        }
        // One that depends on where the program was started is another one tomorrow.
        match settings.folders.iter().find(|folder| !folder.has_root()) {
            Some(folder) => Err(format!("`{}` in `folders` is no whole path", folder.display())),
            None => Ok(settings),
        }
    }

    /// Writes the file anew. Whatever ends the process, one of both is whole.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let draft = path.with_extension("draft");
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(draft, path)
    }

    /// Adds a folder, unless it is in one that is there; those that are in it go.
    pub fn add_folder(&mut self, folder: PathBuf) -> bool {
        if self.folders.iter().any(|there| folder.starts_with(there)) {
            return false;
        }
        self.folders.retain(|there| !there.starts_with(&folder));
        self.folders.push(folder);
        true
    }

    /// Why [`Self::add_folder`] added nothing, as a sentence.
    pub fn why_not_added(&self, folder: &Path) -> String {
        let within =
            self.folders.iter().find(|there| folder.starts_with(there) && *there != folder);
        let folder = folder.display();
        match within.map(|there| there.display()) {
            Some(there) => format!(
                "{folder} is searched already as a part of {there}, unless it is hidden or ignored there."
            ),
            None => format!("{folder} is searched already."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_again_and_broken_ones_are_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.json");
        assert_eq!(Settings::read(&path).unwrap(), Settings::default());
        let mut settings = Settings { pace: Pace::Full, ..Settings::default() };
        settings.add_folder("/notes".into());
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path).unwrap(), settings);
        let aside = path.with_extension("damaged");
        let no_list = br#"{"folders": "/notes"}"#;
        let no_paths = br#"{"folders": [1, null]}"#;
        let relative = br#"{"folders": ["/notes", "notes"]}"#;
        let nothing = br#"{"folders": null}"#;
        let of_folders = [&no_list[..], no_paths, relative, nothing];
        for broken in [&b"{\"pace\": "[..], b"[]", b"\xFF\xFE"].into_iter().chain(of_folders) {
            std::fs::write(&path, broken).unwrap();
            let told = Settings::read(&path).unwrap_err().to_string();
            assert!(told.contains(aside.to_str().unwrap()), "{told}");
            assert_eq!(std::fs::read(&aside).unwrap(), broken);
            let paused = Settings { is_paused: true, ..Settings::default() };
            assert_eq!(Settings::read(&path).unwrap(), paused, "at the next start too");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(Settings::read(&path).is_err());
    }

    #[test]
    fn settings_of_a_later_version_are_used_as_far_as_they_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let later =
            r#"{"folders": ["/notes"], "pace": "at night", "appearance": "dark", "tags": [1]}"#;
        std::fs::write(&path, later).unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!((settings.pace, settings.appearance), (Pace::Normal, Appearance::Dark));
        assert_eq!((settings.folders.len(), settings.model.as_str()), (1, "mini"));
        settings.write(&path).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"tags\""));
    }

    #[test]
    fn a_folder_stands_for_those_in_it() {
        let mut settings = Settings::default();
        assert!(settings.add_folder("/a/b".into()));
        assert!(!settings.add_folder("/a/b/c".into()));
        assert!(settings.add_folder("/a".into()));
        assert_eq!(settings.folders, [PathBuf::from("/a")]);
    }
}
