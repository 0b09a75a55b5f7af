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
        let (corpus, note) = match folder.top_ranked(&known)? {
            Some(lists) => {
                (folder.candidates(&lists.by_query())?, folder.without_candidates(&lists))
            }
            None => (Corpus::File { path: folder.corpus.clone(), ids }, None),
        };
        let notes = [folder.without_relevant(), note].into_iter().flatten().collect();
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

    /// `trec_eval` counts such queries, and so does mteb. They say nothing against p-MRR.
    fn without_relevant(&self) -> Option<String> {
        if self.task == TaskType::InstructionRetrieval {
            return None;
        }
        let judged = |query: &&Text| self.beir.qrels.of(&query.id);
        let has_none = |query: &&Text| judged(query).is_some_and(|of| of.values().all(|x| *x < 1));
        let path = self.beir.qrels_path().display();
        self.note(has_none, format!("no relevant document in {path}"))
    }

    fn without_candidates(&self, lists: &Lists) -> Option<String> {
        let of = lists.by_query();
        let has_none = |query: &&Text| of.get(&query.id).is_none_or(Vec::is_empty);
        self.note(has_none, format!("no candidates in {}", lists.path.display()))
    }

    /// How many queries have nothing that could be found.
    fn note(&self, has_none: impl Fn(&&Text) -> bool, what: String) -> Option<String> {
        let all = self.beir.queries.len();
        let without = self.beir.queries.iter().filter(has_none).count();
        let said = if without == 1 { ("has", "it") } else { ("have", "each of them") };
        let note = || format!("{without} of {all} queries {} {what}; {} scores 0", said.0, said.1);
        (without > 0).then(note)
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
