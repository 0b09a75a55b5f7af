//! Queries and the documents that they are to find.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use super::kind::TaskType;
use crate::{
    Beir, Documents, Error, Groups, NamedScores, Qrels, Run, Search, Text, instruction_retrieval,
    p_mrr, read_lists, rescore, retrieval, run_of,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What `trec_eval` looks at, as mteb calls it.
const K: usize = 1_000;
/// Documents that are embedded and compared at one time: this bounds the memory.
const CHUNK_DOCUMENTS: usize = 4_096;
const CHUNK_BYTES: usize = 16 << 20;
/// Queries with candidates of their own that are computed at one time.
const CHUNK_QUERIES: usize = 64;

/// Retrieval, reranking or instruction retrieval.
#[derive(Clone, Debug)]
pub struct Ranking {
    task: TaskType,
    /// The queries that have a judgement.
    pub queries: Vec<Text>,
    /// The judgements.
    pub qrels: Qrels,
    corpus: Corpus,
    /// The documents that a changed instruction excludes, by query.
    changed: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
enum Corpus {
    /// Every query looks among all documents of the file.
    File { path: PathBuf, ids: Vec<String> },
    /// Each query looks among its own candidates, positions of documents.
    Candidates { documents: Vec<Text>, of: Vec<Vec<usize>> },
}

impl Ranking {
    /// Opens a folder in BEIR's layout, with mteb's `top_ranked` and `qrel_diff` as lines of JSON.
    pub(super) fn open(folder: &Path, split: &str, task: TaskType) -> Result<Self, Error> {
        let beir = Beir::open(folder, split)?;
        let corpus_path = folder.join("corpus.jsonl");
        let ids = Documents::open(&corpus_path)?.map(|document| Ok(document?.id));
        let ids = ids.collect::<Result<Vec<String>, Error>>()?;
        if ids.is_empty() {
            return Err(Error::Empty { path: corpus_path });
        }
        beir.check_judged(&ids.iter().cloned().collect())?;
        let changed = match (task, list_path(folder, "qrel_diff", split)) {
            (TaskType::InstructionRetrieval, Some(path)) => read_lists(&path)?,
            (TaskType::InstructionRetrieval, None) => {
                let source = std::io::ErrorKind::NotFound.into();
                return Err(Error::Read { path: folder.join("qrel_diff.jsonl"), source });
            }
            _ => BTreeMap::new(),
        };
        let top_ranked = list_path(folder, "top_ranked", split);
        let corpus = match top_ranked.filter(|_| task != TaskType::Retrieval) {
            Some(path) => candidates(&path, &beir.queries, &corpus_path)?,
            None => Corpus::File { path: corpus_path, ids },
        };
        Ok(Self { task, queries: beir.queries, qrels: beir.qrels, corpus, changed })
    }

    pub(super) fn of_groups(groups: Groups) -> Self {
        let Groups { queries, documents, candidates, qrels } = groups;
        let corpus = Corpus::Candidates { documents, of: candidates };
        Self { task: TaskType::Reranking, queries, qrels, corpus, changed: BTreeMap::new() }
    }

    /// How many documents there are.
    pub fn documents(&self) -> usize {
        match &self.corpus {
            Corpus::File { ids, .. } => ids.len(),
            Corpus::Candidates { documents, .. } => documents.len(),
        }
    }

    /// Finds the documents of each query by their vectors.
    ///
    /// # Errors
    /// Those of `embed`, and if what it gives are no vectors of one width, or the file of documents
    /// has changed.
    pub fn run<E: From<Error>>(
        &self,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Run, E> {
        let ids: Vec<String> = self.queries.iter().map(|query| query.id.clone()).collect();
        match &self.corpus {
            Corpus::File { path, ids: document_ids } => {
                let queries = embed(Role::Query, &texts(&self.queries))?;
                let mut search = Search::new(&queries.vectors()?, K)?;
                let mut documents = Documents::open(path)?;
                loop {
                    let chunk = chunk(&mut documents)?;
                    if chunk.is_empty() {
                        break;
                    }
                    search.add(&embed(Role::Document, &chunk)?.vectors()?)?;
                }
                Ok(run_of(&search.finish(), &ids, document_ids)?)
            }
            Corpus::Candidates { documents, of } => {
                let mut found = vec![];
                for (queries, of) in
                    self.queries.chunks(CHUNK_QUERIES).zip(of.chunks(CHUNK_QUERIES))
                {
                    found.extend(among_candidates((queries, of), documents, &mut embed)?);
                }
                let document_ids: Vec<String> =
                    documents.iter().map(|document| document.id.clone()).collect();
                Ok(run_of(&found, &ids, &document_ids)?)
            }
        }
    }

    /// The texts of some documents, by their ids.
    ///
    /// # Errors
    /// If the file of documents can't be read, or lacks one of them.
    pub fn document_texts(&self, wanted: &HashSet<&str>) -> Result<HashMap<String, String>, Error> {
        let mut found = HashMap::new();
        let mut keep = |document: Text| {
            if wanted.contains(document.id.as_str()) {
                found.insert(document.id, document.text);
            }
        };
        match &self.corpus {
            Corpus::File { path, .. } => {
                for document in Documents::open(path)? {
                    keep(document?);
                }
            }
            Corpus::Candidates { documents, .. } => documents.iter().cloned().for_each(keep),
        }
        match wanted.iter().find(|id| !found.contains_key(**id)) {
            Some(id) => Err(Error::UnknownId {
                place: "the run".to_owned(),
                id: (*id).to_owned(),
                among: "the corpus".to_owned(),
            }),
            None => Ok(found),
        }
    }

    /// The scores of a run.
    ///
    /// # Errors
    /// If nothing in it is judged, or the task has no score of this name.
    pub fn evaluate(&self, run: &Run, main_score: &str) -> Result<Evaluation, Error> {
        let (scores, units) = if self.task == TaskType::InstructionRetrieval {
            let scores = instruction_retrieval(&self.qrels, run, &self.changed)?;
            let units = match main_score {
                "p-MRR" => self.changes(run)?,
                name => of_queries(&scores.all, name),
            };
            (NamedScores::from(&scores), units)
        } else {
            let scores = retrieval(&self.qrels, run)?;
            (NamedScores::from(&scores), of_queries(&scores, main_score))
        };
        let sample = match units.is_empty() {
            true => Sample::Whole,
            false => Sample::Units { what: "query", scores: units },
        };
        Evaluation { scores, main_score: main_score.to_owned(), sample }.checked()
    }

    /// p-MRR query by query.
    fn changes(&self, run: &Run) -> Result<Vec<(String, f64)>, Error> {
        let lists = self.changed.iter().filter(|(_, list)| !list.is_empty());
        let change = |(query, list): (&String, &Vec<String>)| {
            let one = BTreeMap::from([(query.clone(), list.clone())]);
            Ok((query.clone(), p_mrr(run, run, &one)?))
        };
        lists.map(change).collect()
    }
}

fn of_queries(scores: &crate::RetrievalScores, name: &str) -> Vec<(String, f64)> {
    let of = scores.queries.iter();
    of.filter_map(|(query, scores)| Some((query.clone(), scores.get(name)?))).collect()
}

fn texts(of: &[Text]) -> Vec<String> {
    of.iter().map(|text| text.text.clone()).collect()
}

/// The texts of the next documents.
fn chunk(documents: &mut Documents) -> Result<Vec<String>, Error> {
    let (mut texts, mut bytes) = (vec![], 0);
    while texts.len() < CHUNK_DOCUMENTS && bytes < CHUNK_BYTES {
        let Some(document) = documents.next() else { break };
        let text = document?.text;
        bytes += text.len();
        texts.push(text);
    }
    Ok(texts)
}

/// The file of a list that mteb has beside the judgements.
fn list_path(folder: &Path, name: &str, split: &str) -> Option<PathBuf> {
    let paths =
        [folder.join(name).join(format!("{split}.jsonl")), folder.join(format!("{name}.jsonl"))];
    paths.into_iter().find(|path| path.exists())
}

/// Whether a folder has such a list.
pub(super) fn has_list(folder: &Path, name: &str, split: &str) -> bool {
    list_path(folder, name, split).is_some()
}

/// The candidates of each query, with their texts in memory.
fn candidates(lists: &Path, queries: &[Text], corpus: &Path) -> Result<Corpus, Error> {
    let lists_of = read_lists(lists)?;
    let wanted: HashSet<&str> = lists_of.values().flatten().map(String::as_str).collect();
    let mut documents = vec![];
    for document in Documents::open(corpus)? {
        let document = document?;
        if wanted.contains(document.id.as_str()) {
            documents.push(document);
        }
    }
    let places: HashMap<&str, usize> =
        documents.iter().map(|document| document.id.as_str()).zip(0..).collect();
    let place = |id: &String| {
        let unknown = || Error::UnknownId {
            place: format!("`{}`", lists.display()),
            id: id.clone(),
            among: corpus.display().to_string(),
        };
        places.get(id.as_str()).copied().ok_or_else(unknown)
    };
    let of = queries.iter().map(|query| {
        lists_of.get(&query.id).map_or(&[][..], Vec::as_slice).iter().map(place).collect()
    });
    let of = of.collect::<Result<_, Error>>()?;
    Ok(Corpus::Candidates { documents, of })
}

type Found = Vec<Vec<crate::Neighbour>>;

/// Scores the candidates of some queries; what is returned are positions among all documents.
fn among_candidates<E: From<Error>>(
    (queries, of): (&[Text], &[Vec<usize>]),
    documents: &[Text],
    embed: &mut impl FnMut(Role, &[String]) -> Result<Rows, E>,
) -> Result<Found, E> {
    let mut used: Vec<usize> = of.iter().flatten().copied().collect();
    used.sort_unstable();
    used.dedup();
    if used.is_empty() {
        return Ok(vec![vec![]; queries.len()]);
    }
    let query_rows = embed(Role::Query, &texts(queries))?;
    let document_texts: Vec<String> = used.iter().map(|&at| documents[at].text.clone()).collect();
    let rows = embed(Role::Document, &document_texts)?;
    let inside = |at: &usize| used.partition_point(|used| used < at);
    let candidates: Vec<Vec<usize>> =
        of.iter().map(|list| list.iter().map(inside).collect()).collect();
    let mut found = rescore(&query_rows.vectors()?, &rows.vectors()?, &candidates)?;
    found.iter_mut().flatten().for_each(|found| found.document = used[found.document]);
    Ok(found)
}
