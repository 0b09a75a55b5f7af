//! What a hub or a user names, checked before it becomes a path or a URL.

use std::fmt;

/// The longest name that file systems take.
const MAX_NAME: usize = 255;

/// A commit of a repository: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit(String);

impl Commit {
    /// `None`: it is no commit.
    pub fn parse(digits: &str) -> Option<Self> {
        hex(digits, &[40]).map(Self)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a file is called in the cache, which is its digest: the SHA-256 of large
/// files, git's SHA-1 of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// A header's value, with or without quotes. `None`: it is no digest, so
    /// nothing that it names could be verified.
    pub fn parse(header: &str) -> Option<Self> {
        let quoted = header.trim();
        let quoted = quoted.strip_prefix("W/").unwrap_or(quoted);
        hex(quoted.trim_matches('"'), &[40, 64]).map(Self)
    }

    /// The digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a SHA-256, not git's SHA-1.
    pub fn is_sha256(&self) -> bool {
        self.0.len() == 64
    }
}

fn hex(digits: &str, lengths: &[usize]) -> Option<String> {
    let is_hex =
        lengths.contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| digits.to_ascii_lowercase())
}

/// A branch, a tag or a commit, whose name git would take and which stays below
/// its folder on every system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// `None`: no revision is called so.
    pub fn parse(name: &str) -> Option<Self> {
        let allowed = |c: char| !c.is_control() && !" ~^:?*[\\\"<>|".contains(c);
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(allowed)
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.ends_with(".lock")
                && !is_device(part)
        };
        let is_plain = name.len() <= MAX_NAME && name.split('/').all(is_plain);
        is_plain.then(|| Self(name.to_owned()))
    }

    /// Its name, as a path of plain parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Commit> for Revision {
    fn from(commit: &Commit) -> Self {
        Self(commit.0.clone())
    }
}

/// As one part of a URL.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// How a user names a model of the hub: `owner/name`, or `owner/name:file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubName<'a> {
    /// `owner/name`
    pub model: &'a str,
    /// The quantisation or the name of its GGUF file.
    pub file: Option<&'a str>,
}

impl<'a> HubName<'a> {
    /// `None`: it may be a path, but no model of the hub.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (model, file) = match name.split_once(':') {
            Some((model, file)) => (model, Some(file)),
            None => (name, None),
        };
        let is_one = is_hub_id(model) && file.is_none_or(is_plain_path);
        is_one.then_some(Self { model, file })
    }
}

impl fmt::Display for HubName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, file } = self;
        match file {
            Some(file) => write!(f, "{model}:{file}"),
            None => f.write_str(model),
        }
    }
}

/// `owner/name`, each of letters, digits, `-`, `_` and `.`. Two hyphens or dots
/// in a row are in no name: the cache's folders separate with them.
pub fn is_hub_id(model: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(is_plain)
            && part.trim_matches('.') == part
            && !part.contains("--")
            && !part.contains("..")
    };
    model.len() <= MAX_NAME / 2
        && model.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name))
}

/// Whether a file that an index names is one of weights beside it.
pub fn is_shard(file: &str) -> bool {
    file.len() <= MAX_NAME
        && file.ends_with(".safetensors")
        && !file.starts_with('.')
        && file.chars().all(is_plain)
        && !is_device(file)
}

/// Whether a file that a list of modules names is a config in a folder below the model's.
pub fn is_config(file: &str) -> bool {
    file.ends_with(".json") && is_plain_path(file)
}

/// Whether a file that a hub lists may be a model of one GGUF file.
pub fn is_gguf_name(file: &str) -> bool {
    file.ends_with(".gguf") && is_plain_path(file)
}

/// Whether it is a path below a repository's folder, of plain parts.
pub fn is_plain_path(file: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain) && !is_device(part)
    };
    file.len() <= MAX_NAME && file.split('/').all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Names that are devices on Windows, whatever follows the first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let is_port =
        port.is_some_and(|digit| digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit());
    is_port || ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn hub_ids_are_told_from_paths() {
        for id in ["Qwen/Qwen3-Embedding-0.6B", "tomaarsen/Qwen3-Reranker-0.6B-seq-cls"] {
            assert!(is_hub_id(id), "{id}");
        }
        let paths = ["", "Qwen", "../x", "./x", "a/b/c", "/a", "a/", "a/..", "C:\\a", "a b/c"];
        // The folders of these two in the cache would be the same.
        for path in paths.into_iter().chain(["a--b/c", "a/b--c", "a/b..c", "a/b\0"]) {
            assert!(!is_hub_id(path), "{path}");
        }
    }

    #[test]
    fn a_file_of_a_model_follows_a_colon() {
        fn parts(name: &str) -> Option<(&str, Option<&str>)> {
            HubName::parse(name).map(|name| (name.model, name.file))
        }
        assert_eq!(parts("a/b"), Some(("a/b", None)));
        for file in ["Q8_0", "model-Q8_0.gguf", "BF16/model.gguf"] {
            let name = format!("Qwen/Qwen3-GGUF:{file}");
            assert_eq!(parts(&name), Some(("Qwen/Qwen3-GGUF", Some(file))));
            assert_eq!(HubName::parse(&name).unwrap().to_string(), name);
        }
        let paths = ["C:\\models\\x", "C:/models/x", "C:x", "/a/b:c", "./a/b:c", "a:b/c", ":a/b"];
        let files = ["a/b:", "a/b:..", "a/b:../c", "a/b:/c", "a/b:c/", "a/b:c:d", "a/b:c\\d"];
        let others = ["a/b:c\0", "a/b:c\n", "a/b:c d", "a/b:.c", "a/b:nul.gguf", "a/b:c%2f"];
        for name in paths.into_iter().chain(files).chain(others) {
            assert_eq!(HubName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_digests_are_etags_and_commits() {
        let (sha1, sha256) = ("0123456789abcdef0123456789abcdef01234567", "a".repeat(64));
        for etag in [sha1, &sha256, &format!("\"{sha1}\""), &format!("W/\"{sha256}\"")] {
            assert!(Etag::parse(etag).is_some(), "{etag}");
        }
        assert_eq!(Etag::parse(&sha1.to_uppercase()).as_ref().map(Etag::as_str), Some(sha1));
        let paths = ["/tmp/a", "../../a", "..", "C:\\a", "", "\"\"", "abc", "a\0", &sha1[1..]];
        let outside = format!("../{}", &sha1[3..]);
        for bad in paths.into_iter().chain([outside.as_str(), &sha1.replace('0', "é")]) {
            assert_eq!((Etag::parse(bad), Commit::parse(bad)), (None, None), "{bad}");
        }
        assert_eq!(Commit::parse(&sha256), None);
    }

    #[test]
    fn revisions_have_names_that_git_takes() {
        for name in ["main", "v1.0", "refs/pr/1", "feature/ünïcode+x@2", "0123abc"] {
            assert!(Revision::parse(name).is_some(), "{name}");
        }
        let bad = ["", "/", "/etc/passwd", "a/", "a//b", "..", "a/../b", ".git", "a\\b", "C:a"];
        for name in bad.into_iter().chain(["a\0", "a\nb", "a b", "nul", "a/COM1.x", "x.lock", "x."])
        {
            assert_eq!(Revision::parse(name), None, "{name}");
        }
        let revision = Revision::parse("refs/pr/1#%ü").unwrap();
        assert_eq!(revision.to_string(), "refs%2Fpr%2F1%23%25%C3%BC");
    }

    #[test]
    fn shards_are_plain_files_of_weights() {
        assert!(is_shard("model-00001-of-00002.safetensors"));
        let bad = ["config.json", "../a.safetensors", "/a.safetensors", "a/b.safetensors"];
        let windows = ["..\\a.safetensors", "C:a.safetensors", "nul.safetensors", "a.safetensors."];
        let others = ["", ".safetensors", "a\0.safetensors", "a .safetensors", "a%2f.safetensors"];
        for name in bad.into_iter().chain(windows).chain(others) {
            assert!(!is_shard(name), "{name}");
        }
    }

    #[test]
    fn configs_of_modules_are_below_the_model() {
        assert!(is_config("1_Pooling/config.json") && is_config("a/b-c/config.json"));
        let bad = ["/config.json", "../config.json", "a/../config.json", "a\\config.json"];
        for name in bad.into_iter().chain(["C:a/config.json", "nul/config.json", "a/x.py", "a"]) {
            assert!(!is_config(name), "{name}");
        }
    }

    proptest! {
        /// Whatever is taken adds plain parts to a path, on this system and on Windows.
        #[test]
        fn no_name_leaves_its_folder(name in "[./\\\\:a-zA-Z0-9\0 -]{0,12}(\\.safetensors)?") {
            let is_inside = |name: &str| {
                let parts = Path::new(name).components();
                let stay = parts.into_iter().all(|part| matches!(part, Component::Normal(_)));
                stay && !name.contains(['\\', ':', '\0'])
            };
            prop_assert!(!is_shard(&name) || (is_inside(&name) && !name.contains('/')));
            prop_assert!(Revision::parse(&name).is_none() || is_inside(&name));
            let config = format!("{name}/config.json");
            prop_assert!(!is_config(&config) || is_inside(&config));
            prop_assert!(!is_hub_id(&name) || is_inside(&name));
            let gguf = format!("{name}.gguf");
            prop_assert!(!is_gguf_name(&gguf) || is_inside(&gguf));
            let file = HubName::parse(&name).and_then(|name| name.file);
            prop_assert!(file.is_none_or(is_inside));
        }
    }
}
