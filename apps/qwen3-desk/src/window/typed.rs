//! Paths as people type and paste them.

use directories::BaseDirs;
use std::path::{Path, PathBuf};
use url::Url;

/// The path that was meant, if any was. Shells know `~`, they and file managers copy paths in
/// quotes, and some copy them as addresses.
pub fn path(text: &str) -> Option<PathBuf> {
    let text = unquoted(text.trim()).trim();
    if text.is_empty() {
        return None;
    }
    let address = Url::parse(text).ok().filter(|address| address.scheme() == "file");
    if let Some(path) = address.and_then(|address| address.to_file_path().ok()) {
        return Some(path);
    }
    let path = Path::new(text);
    match (path.strip_prefix("~"), BaseDirs::new()) {
        (Ok(below), Some(dirs)) => Some(dirs.home_dir().join(below)),
        _ => Some(path.to_owned()),
    }
}

/// What stands between two quotes of a kind.
fn unquoted(text: &str) -> &str {
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_typed_as_in_a_shell_or_pasted_in_quotes() {
        let home = BaseDirs::new().unwrap().home_dir().to_owned();
        let of = |text: &str| path(text).unwrap();
        assert_eq!(of("~/a b/c "), home.join("a b").join("c"));
        assert_eq!(of("~"), home);
        assert_eq!(of("~a"), Path::new("~a"));
        assert_eq!(of(" \"/a b\""), Path::new("/a b"));
        assert_eq!(of("'/a b'"), Path::new("/a b"));
        // They are a part of some names.
        assert_eq!(of("/a'b'"), Path::new("/a'b'"));
        assert_eq!(of("'"), Path::new("'"));
        assert_eq!(of("c:d"), Path::new("c:d"));
        assert!([" ", "", "''"].iter().all(|text| path(text).is_none()));
    }

    #[test]
    fn an_address_of_a_file_is_a_path() {
        let (address, expected) = match cfg!(windows) {
            true => ("file:///C:/a%20b/%C3%BC", "C:\\a b\\ü"),
            false => ("file:///a%20b/%C3%BC", "/a b/ü"),
        };
        assert_eq!(path(address), Some(PathBuf::from(expected)));
        assert_eq!(path(&format!("'{address}'")), Some(PathBuf::from(expected)));
        let page = "https://example.org/a";
        assert_eq!(path(page), Some(PathBuf::from(page)), "and is told as no folder");
    }
}
