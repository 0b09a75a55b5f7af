//! Which crate depends on which, as far as `Cargo.toml` says it in the few
//! forms that this workspace uses.

/// A line of `Cargo.toml` that names a dependency.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    pub name: &'a str,
    /// Whether only tests see it.
    pub for_tests: bool,
    /// Where it stands in the file.
    pub at: usize,
}

/// The package's name; a workspace without a package has none.
pub fn package(text: &str) -> Option<&str> {
    let (_, package) = text.split_once("[package]")?;
    package.lines().find_map(|line| quoted(line.strip_prefix("name")?))
}

/// Every dependency, those of single targets and of build scripts included.
pub fn dependencies(text: &str) -> Vec<Dependency<'_>> {
    let mut found = vec![];
    let mut section = None;
    for line in text.lines() {
        let at = line.as_ptr() as usize - text.as_ptr() as usize;
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            section = for_tests(header);
            // `[dependencies.name]`
            if let Some((table, name)) = header.rsplit_once('.')
                && let Some(for_tests) = for_tests(table)
            {
                found.push(Dependency { name, for_tests, at });
            }
        } else if let Some(for_tests) = section
            && line.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
            let renamed = line.split_once("package = ").and_then(|(_, name)| quoted(name));
            found.push(Dependency { name: renamed.unwrap_or(key), for_tests, at });
        }
    }
    found
}

/// Whether the dependencies of this section are for tests; `None`: it has none.
fn for_tests(header: &str) -> Option<bool> {
    if header.starts_with("workspace") {
        return None;
    }
    match header.rsplit('.').next()? {
        "dependencies" | "build-dependencies" => Some(false),
        "dev-dependencies" => Some(true),
        _ => None,
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}
