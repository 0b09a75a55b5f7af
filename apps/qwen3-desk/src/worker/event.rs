//! What the threads tell.

use crate::index::{Filter, Hit, MapPoint};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

/// Something to look for.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Answers to an earlier one are of no use any more.
    pub number: u64,
    pub finding: Finding,
    pub filter: Filter,
}

/// What passages are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Those that answer this.
    Query(String),
    /// Those that are like this one.
    Like(u128),
}

/// The passages found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub ask: u64,
    pub hits: Vec<Hit>,
    /// For the query's vector.
    pub model_time: Duration,
    /// For the search, texts included.
    pub search_time: Duration,
    /// How many of them the reranker has looked at, if there is one.
    pub reranked: Option<usize>,
    /// Why there is nothing, or why it isn't reranked.
    pub problem: Option<String>,
    /// Whether the problem may pass by itself. Then another answer comes.
    pub is_waiting: bool,
}

/// Something new.
#[derive(Debug)]
pub enum Event {
    /// At first with similarities, then again and again as they are reranked.
    Found(Found),
    Map(Vec<MapPoint>),
    /// For a moment, at the bottom of the window.
    Told(String),
    /// The model can be loaded now.
    Downloaded(String),
    Devices(Vec<DeviceLine>),
    /// The published models that are here.
    Models(HashSet<String>),
    /// Whether the model in a folder or file can search.
    Checked(String, Result<(), String>),
    /// The text of a passage, for the map.
    Passage(u128, String),
}

/// A device, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLine {
    /// As it is asked for; empty: it can't be.
    pub id: String,
    pub name: String,
    pub detail: String,
    /// What the check said; `None`: it goes on.
    pub verdict: Option<Result<String, String>>,
}

/// What the thread that indexes does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Activity {
    #[default]
    Starting,
    /// A model is being loaded.
    Loading(String),
    /// A folder is looked through.
    Looking(PathBuf),
    /// What is in no folder any more is forgotten.
    TidyingUp,
    /// Vectors are computed.
    Computing,
    UpToDate,
    Paused,
    /// Something is wrong. It is tried again.
    Waiting(String),
}

/// A download that goes on, or how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    pub model: String,
    pub bytes: u64,
    pub total_bytes: u64,
    pub problem: Option<String>,
}

/// How things stand.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub activity: Activity,
    pub files: usize,
    /// Of all files that were read.
    pub passages: usize,
    /// That can be found.
    pub indexed: usize,
    /// Another one whenever what can be found, or where it is, has changed.
    pub revision: u64,
    /// That have no vector of the chosen model yet.
    pub pending: usize,
    /// Whether files are left to read, which may have more of them.
    pub is_reading: bool,
    pub passages_per_second: f32,
    /// Of each folder.
    pub files_of: Vec<(PathBuf, usize)>,
    /// Files and folders that can't be searched.
    pub problems: Vec<(PathBuf, String)>,
    /// The model that answers, and its device.
    pub model: String,
    pub device: String,
    pub passed_over: Vec<String>,
    /// Why the chosen model can't be loaded.
    pub model_problem: Option<String>,
    /// The model whose index is being built while another one answers.
    pub next_model: Option<String>,
    pub downloads: Vec<Download>,
    pub memory_bytes: u64,
    /// Of one core.
    pub processor_percent: f32,
    /// On the disk.
    pub index_bytes: u64,
}
