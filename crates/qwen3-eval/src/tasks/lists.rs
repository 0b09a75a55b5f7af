//! Lists of documents that mteb has beside the judgements.

use super::kind::TaskType;
use crate::data::files::{rows_called, split_of};
use crate::{Error, List, read_lists};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A file of lists, each of a query.
pub(super) struct Lists {
    pub path: PathBuf,
    lists: Vec<List>,
}

impl Lists {
    /// Those by a name in a folder, if it has them.
    pub fn open(folder: &Path, name: &str, split: &str) -> Result<Option<Self>, Error> {
        let Some(path) = list_path(folder, name, split) else { return Ok(None) };
        Ok(Some(Self { lists: read_lists(&path)?, path }))
    }

    /// Those that a type of task can't do without.
    pub fn needed(
        folder: &Path,
        name: &str,
        (split, task): (&str, TaskType),
    ) -> Result<Self, Error> {
        let lists = Self::open(folder, name, split)?;
        lists.ok_or_else(|| task.unfit(folder, &format!("no {name}.jsonl")))
    }

    /// Checks that the corpus has all documents, and that all queries are known, whose ids are those of
    /// the lists with some endings.
    pub fn check(
        &self,
        (documents, corpus): (&HashSet<&str>, &Path),
        (is_known, queries): (&dyn Fn(&str) -> bool, &Path),
        endings: &[&str],
    ) -> Result<(), Error> {
        for list in &self.lists {
            let unknown = |id: &str, among: &Path| Error::UnknownId {
                place: format!("line {} of `{}`", list.line, self.path.display()),
                id: id.to_owned(),
                among: among.display().to_string(),
            };
            let mut asked = endings.iter().map(|ending| format!("{}{ending}", list.query));
            if let Some(query) = asked.find(|query| !is_known(query)) {
                return Err(unknown(&query, queries));
            }
            if let Some(id) = list.documents.iter().find(|id| !documents.contains(id.as_str())) {
                return Err(unknown(id, corpus));
            }
        }
        Ok(())
    }

    /// The documents by their query.
    pub fn by_query(&self) -> BTreeMap<String, Vec<String>> {
        let lists = self.lists.iter();
        lists.map(|list| (list.query.clone(), list.documents.clone())).collect()
    }
}

fn list_path(folder: &Path, name: &str, split: &str) -> Option<PathBuf> {
    let of_split = split_of(&folder.join(name), split);
    let of_all = || Some(rows_called(folder, name)).filter(|path| path.exists());
    of_split.or_else(of_all)
}

/// Whether a folder has such a list.
pub(super) fn has_list(folder: &Path, name: &str, split: &str) -> bool {
    list_path(folder, name, split).is_some()
}
