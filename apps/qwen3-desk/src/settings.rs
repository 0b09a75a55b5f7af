//! What people chose, kept from one start to the next.

use directories::ProjectDirs;
use serde::{Deserialize, Serialize};
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
        }
    }
}

impl Settings {
    /// Those of a file; the defaults if there is none, or if it says nothing that is understood.
    /// Such a file is put aside, since people may have a use for it.
    pub fn read(path: &Path) -> Self {
        let Ok(text) = std::fs::read_to_string(path) else { return Self::default() };
        serde_json::from_str(&text).unwrap_or_else(|_| {
            // If it can't be, it is written over with the next change.
            let _ = std::fs::rename(path, path.with_extension("damaged"));
            Self::default()
        })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_found_again_and_broken_ones_are_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/settings.json");
        assert_eq!(Settings::read(&path), Settings::default());
        let mut settings = Settings { pace: Pace::Full, ..Settings::default() };
        settings.add_folder("/notes".into());
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path), settings);
        std::fs::write(&path, "{\"pace\": \"gentle\", \"new\": 1}").unwrap();
        let read = Settings::read(&path);
        assert_eq!((read.pace, read.model.as_str()), (Pace::Gentle, "mini"));
        std::fs::write(&path, "{\"pace\": ").unwrap();
        assert_eq!(Settings::read(&path), Settings::default());
        let aside = std::fs::read_to_string(path.with_extension("damaged")).unwrap();
        assert_eq!(aside, "{\"pace\": ");
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
