//! A folder of queries, documents and judgements.

use super::kind::TaskType;
use super::lists::Lists;
use super::ranking::{Corpus, Ranking};
use crate::{Beir, Documents, Error, Text};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// By query.
type DocumentsOf = BTreeMap<String, Vec<String>>;

/// What is in a folder, and what its lists have to name.
struct Folder<'a> {
    path: &'a Path,
    split: &'a str,
    task: TaskType,
    beir: Beir,
    corpus: PathBuf,
}

impl Ranking {
    /// Opens a folder in BEIR's layout, with mteb's `top_ranked` and `qrel_diff` as lines of JSON.
    pub(super) fn open(path: &Path, split: &str, task: TaskType) -> Result<Self, Error> {
        let beir = Beir::open(path, split)?;
        let corpus = beir.corpus_path().to_owned();
        let ids = Documents::open(&corpus)?.map(|document| Ok(document?.id));
        let ids = ids.collect::<Result<Vec<String>, Error>>()?;
        if ids.is_empty() {
            return Err(Error::Empty { path: corpus });
        }
        let known: HashSet<&str> = ids.iter().map(String::as_str).collect();
        beir.check_judged(&known)?;
        let folder = Folder { path, split, task, beir, corpus };
        let changed = folder.changed(&known)?;
        let (corpus, notes) = match folder.top_ranked(&known)? {
            Some(lists) => (folder.candidates(&lists.by_query())?, folder.notes(&lists)),
            None => (Corpus::File { path: folder.corpus.clone(), ids }, vec![]),
        };
        let main_score = task.main_score().to_owned();
        let Beir { queries, qrels, .. } = folder.beir;
        Ok(Self { task, queries, qrels, main_score, notes, corpus, changed })
    }
}

impl Folder<'_> {
    /// The documents that a changed instruction excludes.
    fn changed(&self, documents: &HashSet<&str>) -> Result<DocumentsOf, Error> {
        if self.task != TaskType::InstructionRetrieval {
            return Ok(DocumentsOf::new());
        }
        let lists = Lists::needed(self.path, "qrel_diff", (self.split, self.task))?;
        let is_judged = |id: &str| self.beir.qrels.of(id).is_some();
        let judged: (&dyn Fn(&str) -> bool, &Path) = (&is_judged, self.beir.qrels_path());
        lists.check((documents, &self.corpus), judged, &["-og", "-changed"])?;
        let changed = lists.by_query();
        match changed.values().all(Vec::is_empty) {
            true => Err(Error::Empty { path: lists.path }),
            false => Ok(changed),
        }
    }

    /// The candidates of each query.
    fn top_ranked(&self, documents: &HashSet<&str>) -> Result<Option<Lists>, Error> {
        let lists = match self.task {
            TaskType::Retrieval => return Ok(None),
            TaskType::Reranking => {
                Some(Lists::needed(self.path, "top_ranked", (self.split, self.task))?)
            }
            _ => Lists::open(self.path, "top_ranked", self.split)?,
        };
        let Some(lists) = lists else { return Ok(None) };
        let is_known = |id: &str| self.beir.query_ids.contains(id);
        let queries = self.beir.queries_path();
        lists.check((documents, &self.corpus), (&is_known, queries), &[""])?;
        Ok(Some(lists))
    }

    fn notes(&self, lists: &Lists) -> Vec<String> {
        let (all, of) = (self.beir.queries.len(), lists.by_query());
        let has_none = |query: &&Text| of.get(&query.id).is_none_or(Vec::is_empty);
        match self.beir.queries.iter().filter(has_none).count() {
            0 => vec![],
            without => vec![format!(
                "{without} of {all} queries have no candidates in {}; each of them scores 0",
                lists.path.display()
            )],
        }
    }

    /// The candidates of each query, with their texts in memory.
    fn candidates(&self, lists: &DocumentsOf) -> Result<Corpus, Error> {
        let of_query = |query: &Text| lists.get(&query.id).map_or(&[][..], Vec::as_slice);
        let queries = &self.beir.queries;
        let wanted: HashSet<&str> = queries.iter().flat_map(of_query).map(String::as_str).collect();
        let mut documents = vec![];
        for document in Documents::open(&self.corpus)? {
            let document = document?;
            if wanted.contains(document.id.as_str()) {
                documents.push(document);
            }
        }
        let places: HashMap<&str, usize> =
            documents.iter().map(|document| document.id.as_str()).zip(0..).collect();
        let place = |id: &String| places.get(id.as_str()).copied();
        let of = queries.iter().map(|query| of_query(query).iter().filter_map(place).collect());
        let of = of.collect();
        Ok(Corpus::Candidates { documents, of })
    }
}
