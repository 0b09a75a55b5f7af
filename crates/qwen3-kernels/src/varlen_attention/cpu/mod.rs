//! Attention on Burn Flex, one block of queries against one block of keys at a
//! time, with a running softmax (Dao et al. 2022, arXiv:2205.14135, algorithm 1).
//!
//! Nothing of the size of the scores is ever held: one task's workspace is
//! [`QUERY_BLOCK`] · H/K rows of [`KEY_BLOCK`] scores.

mod keys;
mod packed;

use super::{SharedPrefix, Span, VarlenLayout};
use crate::buffers;
use crate::destination::Destination;
use crate::isa::{Isa, vectorized};
use crate::linear::cpu::contiguous;
use crate::softmax;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::Flex;
use keys::{COLUMNS, KeyBlock, KeyValues, Rounded, blocks};
use rayon::prelude::*;
use std::cell::RefCell;

/// Queries of one task; with two query heads per key head, 48 rows of scores,
/// which is a multiple of what a product's tile takes.
const QUERY_BLOCK: usize = 24;
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
    products: DType,
) -> Tensor<Flex, 3> {
    let [tokens, heads, width] = q.dims();
    let [_, kv_heads, _] = k.dims();
    let (q, k, v) = (contiguous(q), contiguous(k), contiguous(v));
    let prefix = prefix.map(|prefix| (contiguous(prefix.k.clone()), contiguous(prefix.v.clone())));
    let isa = Isa::best();
    let in_pairs = products == DType::BF16 && has_pairs(isa, width);
    let shape = [kv_heads, width];
    let sequences = layout.spans().map(|span| (span.first_key, span.n_keys));
    let prefix = prefix.as_ref().map(|(k, v)| {
        let (k, v): (&[f32], &[f32]) = (k.storage(), v.storage());
        let n_keys = k.len() / (kv_heads * width);
        (KeyValues::new(isa, k, v, shape, [(0, n_keys)].into_iter(), in_pairs), n_keys)
    });
    let problem = Problem {
        q: q.storage(),
        own: KeyValues::new(isa, k.storage(), v.storage(), shape, sequences, in_pairs),
        prefix,
        heads,
        kv_heads,
        width,
        scale: scale as f32,
    };
    let spans = layout.spans().enumerate();
    let tasks: Vec<Task> = spans.flat_map(|(index, span)| problem.tasks(index, span)).collect();

    let mut output = buffers::tensor([tokens, heads, width]);
    let out = Destination::new(output.storage_mut(), heads * width);
    tasks.par_iter().for_each(|task| {
        WORKSPACE.with_borrow_mut(|workspace| {
            attend(isa, &problem, task, workspace);
            for (at, values) in problem.finished(task, workspace) {
                // Safety: no two tasks share a query and a head, and `output`
                // outlives the loop.
                unsafe { out.row(0, at, values.len()) }.copy_from_slice(values);
            }
        });
    });
    Tensor::from_primitive(TensorPrimitive::Float(output))
}

vectorized! {
    /// All of a task but the division by the sums.
    fn attend(problem: &Problem, task: &Task, workspace: &mut Workspace) {
        problem.attend(task, workspace);
    }
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// Whether there are products of pairs of bfloat16 numbers, and a head is whole
/// registers of them.
fn has_pairs(isa: Isa, width: usize) -> bool {
    matches!(isa, Isa::AmxBf16 | Isa::Avx512Bf16) && width.is_multiple_of(COLUMNS)
}

/// A block of queries of one sequence, for one key and value head.
struct Task {
    /// Which sequence.
    sequence: usize,
    span: Span,
    /// First query of the block, counted in the sequence.
    first: usize,
    n_queries: usize,
    kv_head: usize,
}

/// Buffers of one thread. A row is one query of one of the H/K query heads.
#[derive(Default)]
struct Workspace {
    /// `[rows, D]`, times the scale.
    queries: Vec<f32>,
    rounded: Rounded,
    /// `[rows, columns of the block]`
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
    own: KeyValues,
    /// What stands before every sequence, and how many keys that is.
    prefix: Option<(KeyValues, usize)>,
    heads: usize,
    kv_heads: usize,
    width: usize,
    scale: f32,
}

impl Problem<'_> {
    fn tasks(&self, sequence: usize, span: Span) -> impl Iterator<Item = Task> + use<> {
        let kv_heads = self.kv_heads;
        // The last block first: it sees the most keys, so it should not start last.
        (0..span.n_queries).step_by(QUERY_BLOCK).rev().flat_map(move |first| {
            let n_queries = QUERY_BLOCK.min(span.n_queries - first);
            (0..kv_heads).map(move |kv_head| Task { sequence, span, first, n_queries, kv_head })
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

    #[inline(always)]
    fn attend(&self, task: &Task, workspace: &mut Workspace) {
        self.begin(task, workspace);
        if let Some((prefix, n_keys)) = &self.prefix {
            prefix.prepare(&workspace.queries, &mut workspace.rounded);
            for block in blocks(0, *n_keys, task.kv_head) {
                self.meet(prefix, &block, *n_keys, workspace);
            }
        }
        let seen_by_first = task.span.n_keys - task.span.n_queries + task.first + 1;
        let n_keys = seen_by_first + task.n_queries - 1;
        self.own.prepare(&workspace.queries, &mut workspace.rounded);
        for block in blocks(task.sequence, n_keys, task.kv_head) {
            self.meet(&self.own, &block, seen_by_first, workspace);
        }
    }

    #[inline(always)]
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

    /// Takes one block of keys into the running softmax. The task's first query
    /// sees `seen_by_first` keys of the block's source, each later one one more.
    #[inline(always)]
    fn meet(
        &self,
        source: &KeyValues,
        block: &KeyBlock,
        seen_by_first: usize,
        workspace: &mut Workspace,
    ) {
        let Workspace { queries, rounded, scores, attended, max, sum } = workspace;
        let (rows, width, columns) = (max.len(), self.width, block.columns());
        scores.resize(rows * columns, 0.0);
        source.scores(block, queries, rounded, scores);
        for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
            let seen = seen_by_first + row / self.group();
            let seen = seen.saturating_sub(block.keys.start).min(block.keys.len());
            let (seen, unseen) = scores.split_at_mut(seen);
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
        source.add_values(block, scores, rounded, attended);
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
