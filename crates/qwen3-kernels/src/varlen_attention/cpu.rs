//! Attention on Burn Flex, one block of queries against one block of keys at a
//! time, with a running softmax (Dao et al. 2022, arXiv:2205.14135, algorithm 1).
//!
//! Nothing of the size of the scores is ever held: one task's workspace is
//! [`QUERY_BLOCK`] · H/K rows of [`KEY_BLOCK`] scores.

use super::{SharedPrefix, Span, VarlenLayout};
use crate::buffers;
use crate::destination::Destination;
use crate::isa::Isa;
use crate::linear::cpu::contiguous;
use crate::linear::product::{self, Rows};
use crate::softmax;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::Flex;
use rayon::prelude::*;

/// Queries of one task; with two query heads per key head, 64 rows of scores.
const QUERY_BLOCK: usize = 32;
/// Keys met at one time: their scores and the keys themselves fit the
/// second-level cache.
const KEY_BLOCK: usize = 256;

/// See [`crate::varlen_attention()`].
pub(crate) fn varlen_attention(
    q: Tensor<Flex, 3>,
    k: Tensor<Flex, 3>,
    v: Tensor<Flex, 3>,
    layout: &VarlenLayout,
    prefix: Option<&SharedPrefix<Flex>>,
    scale: f64,
) -> Tensor<Flex, 3> {
    let [tokens, heads, width] = q.dims();
    let [_, kv_heads, _] = k.dims();
    let (q, k, v) = (contiguous(q), contiguous(k), contiguous(v));
    let prefix = prefix.map(|prefix| (contiguous(prefix.k.clone()), contiguous(prefix.v.clone())));
    let problem = Problem {
        q: q.storage(),
        k: k.storage(),
        v: v.storage(),
        prefix: prefix.as_ref().map(|(k, v)| (k.storage(), v.storage())),
        heads,
        kv_heads,
        width,
        scale: scale as f32,
        isa: Isa::best(),
    };
    let tasks: Vec<Task> = layout.spans().flat_map(|span| problem.tasks(span)).collect();

    let mut output = buffers::tensor([tokens, heads, width]);
    let out = Destination::new(output.storage_mut(), heads * width);
    tasks.par_iter().for_each_init(Workspace::default, |workspace, task| {
        problem.attend(task, workspace);
        for (at, values) in problem.finished(task, workspace) {
            // Safety: no two tasks share a query and a head, and `output`
            // outlives the loop.
            unsafe { out.row(0, at, values.len()) }.copy_from_slice(values);
        }
    });
    Tensor::from_primitive(TensorPrimitive::Float(output))
}

/// A block of queries of one sequence, for one key and value head.
struct Task {
    span: Span,
    /// First query of the block, counted in the sequence.
    first: usize,
    n_queries: usize,
    kv_head: usize,
}

/// Keys and values of one source, and which of them a task meets now.
#[derive(Clone, Copy)]
struct Keys<'a> {
    k: &'a [f32],
    v: &'a [f32],
    /// First row of the block in `k` and `v`.
    row: usize,
    n_keys: usize,
    /// How many of the block's keys the task's first query sees; each later
    /// query sees one more. Negative while even later ones see none.
    seen_by_first: isize,
}

/// Buffers of one thread. A row is one query of one of the H/K query heads.
#[derive(Default)]
struct Workspace {
    /// `[rows, D]`, times the scale.
    queries: Vec<f32>,
    /// `[rows, keys]`
    scores: Vec<f32>,
    /// `[rows, D]`, not yet divided by `sum`.
    attended: Vec<f32>,
    /// The largest score of each row so far.
    max: Vec<f32>,
    /// The sum of each row's `exp(score - max)` so far.
    sum: Vec<f32>,
}

struct Problem<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    prefix: Option<(&'a [f32], &'a [f32])>,
    heads: usize,
    kv_heads: usize,
    width: usize,
    scale: f32,
    isa: Isa,
}

impl Problem<'_> {
    fn tasks(&self, span: Span) -> impl Iterator<Item = Task> + use<> {
        let kv_heads = self.kv_heads;
        // The last block first: it sees the most keys, so it should not start last.
        (0..span.n_queries).step_by(QUERY_BLOCK).rev().flat_map(move |first| {
            let n_queries = QUERY_BLOCK.min(span.n_queries - first);
            (0..kv_heads).map(move |kv_head| Task { span, first, n_queries, kv_head })
        })
    }

    /// Query heads that share one key and value head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Index in `q` of a query of the task and of one of its heads.
    fn query(&self, task: &Task, query: usize, head: usize) -> usize {
        let row = task.span.first_query + task.first + query;
        (row * self.heads + task.kv_head * self.group() + head) * self.width
    }

    fn attend(&self, task: &Task, workspace: &mut Workspace) {
        self.begin(task, workspace);
        if let Some((k, v)) = self.prefix {
            let n_keys = k.len() / (self.kv_heads * self.width);
            let keys = Keys { k, v, row: 0, n_keys, seen_by_first: n_keys as isize };
            self.meet_all(task, workspace, keys);
        }
        let seen_by_first = task.span.n_keys - task.span.n_queries + task.first + 1;
        let keys = Keys {
            k: self.k,
            v: self.v,
            row: task.span.first_key,
            n_keys: seen_by_first + task.n_queries - 1,
            seen_by_first: seen_by_first as isize,
        };
        self.meet_all(task, workspace, keys);
    }

    fn begin(&self, task: &Task, workspace: &mut Workspace) {
        let rows = self.group() * task.n_queries;
        let refill = |buffer: &mut Vec<f32>, length, value| {
            buffer.clear();
            buffer.resize(length, value);
        };
        refill(&mut workspace.attended, rows * self.width, 0.0);
        refill(&mut workspace.max, rows, f32::NEG_INFINITY);
        refill(&mut workspace.sum, rows, 0.0);
        workspace.queries.clear();
        for query in 0..task.n_queries {
            for head in 0..self.group() {
                let at = self.query(task, query, head);
                let values = &self.q[at..at + self.width];
                workspace.queries.extend(values.iter().map(|x| x * self.scale));
            }
        }
    }

    fn meet_all(&self, task: &Task, workspace: &mut Workspace, keys: Keys) {
        for first in (0..keys.n_keys).step_by(KEY_BLOCK) {
            let block = Keys {
                row: keys.row + first,
                n_keys: KEY_BLOCK.min(keys.n_keys - first),
                seen_by_first: keys.seen_by_first - first as isize,
                ..keys
            };
            self.meet(task, workspace, block);
        }
    }

    /// Takes one block of keys into the running softmax.
    fn meet(&self, task: &Task, workspace: &mut Workspace, keys: Keys) {
        let Workspace { queries, scores, attended, max, sum } = workspace;
        let (rows, width, n_keys) = (max.len(), self.width, keys.n_keys);
        let stride = self.kv_heads * width;
        let from = keys.row * stride + task.kv_head * width;
        scores.resize(rows * n_keys, 0.0);
        let of_task = |data| Rows { data, stride };
        let isa = self.isa;
        // Safety: the buffers are this thread's own, and outlive the calls.
        unsafe {
            let queries = Rows { data: queries, stride: width };
            let destination = Destination::new(scores, n_keys);
            product::scores(
                isa,
                [rows, width, n_keys],
                queries,
                of_task(&keys.k[from..]),
                destination,
            );
        }
        for (row, scores) in scores.chunks_exact_mut(n_keys).enumerate() {
            let query = row / self.group();
            let seen = (keys.seen_by_first + query as isize).clamp(0, n_keys as isize);
            let (seen, unseen) = scores.split_at_mut(seen as usize);
            unseen.fill(0.0);
            if seen.is_empty() {
                continue;
            }
            let new_max = softmax::max(seen, max[row]);
            let shrink = softmax::exp(max[row] - new_max);
            sum[row] = sum[row] * shrink + softmax::exp_in_place(seen, new_max);
            max[row] = new_max;
            attended[row * width..][..width].iter_mut().for_each(|x| *x *= shrink);
        }
        // Safety: as above.
        unsafe {
            let weights = Rows { data: scores, stride: n_keys };
            let destination = Destination::new(attended, width);
            let shape = [rows, n_keys, width];
            product::add_weighted_rows(isa, shape, weights, of_task(&keys.v[from..]), destination);
        }
    }

    /// The finished rows of a task, by query and head.
    fn finished<'w>(
        &self,
        task: &Task,
        workspace: &'w mut Workspace,
    ) -> impl Iterator<Item = (usize, &'w [f32])> {
        let Workspace { attended, sum, .. } = workspace;
        for (values, sum) in attended.chunks_exact_mut(self.width).zip(sum) {
            values.iter_mut().for_each(|x| *x /= *sum);
        }
        let first = self.query(task, 0, 0);
        let (group, width, row) = (self.group(), self.width, self.heads * self.width);
        attended.chunks_exact(width).enumerate().map(move |(index, values)| {
            (first + index / group * row + index % group * width, values)
        })
    }
}
