//! Attention on Burn Flex, one block of queries against one block of keys at a
//! time, with a running softmax (Dao et al. 2022, arXiv:2205.14135, algorithm 1).
//!
//! Nothing of the size of the scores is ever held: one task's workspace is
//! [`QUERY_BLOCK`] · H/K rows of [`key_block::KEY_BLOCK`] scores.

mod key_block;
mod key_values;
mod packed;

use super::{Span, VarlenAttention};
use crate::cpu::buffers;
use crate::cpu::destination::Destination;
use crate::cpu::gemm::has_pair_products;
use crate::cpu::isa::Isa;
use crate::cpu::softmax;
use crate::cpu::vectorized::vectorized;
use crate::linear::cpu::contiguous;
use burn::tensor::{DType, Tensor, TensorPrimitive};
use burn_flex::Flex;
use key_block::{COLUMNS, KeyBlock};
use key_values::{KeyValues, Rounded};
use packed::Packed;
use rayon::prelude::*;
use std::cell::RefCell;

/// Queries of one task; with two query heads per key head, 48 rows of scores,
/// which is a multiple of what a product's tile takes.
const QUERY_BLOCK: usize = 24;
/// See [`crate::Kernels::varlen_attention`].
pub(crate) fn varlen_attention(attention: VarlenAttention<Flex>) -> Tensor<Flex, 3> {
    attention.assert_shapes();
    let VarlenAttention { q, k, v, layout, scale, round_to, .. } = attention;
    let [tokens, heads, width] = q.dims();
    let [_, kv_heads, _] = k.dims();
    let (q, k, v) = (contiguous(q), contiguous(k), contiguous(v));
    let isa = Isa::best();
    // Of whole registers.
    let in_pairs =
        round_to == DType::BF16 && has_pair_products(isa) && width.is_multiple_of(COLUMNS);
    let sequences = layout.spans().map(|span| (span.first_key, span.n_keys));
    let (k, v, shape) = (k.storage(), v.storage(), [kv_heads, width]);
    let keys = match in_pairs {
        true => KeyValues::Pairs(Packed::new(isa, [k, v], shape, sequences)),
        false => KeyValues::F32(Packed::new(isa, [k, v], shape, sequences)),
    };
    let problem = Problem { q: q.storage(), keys, heads, kv_heads, width, scale: scale as f32 };
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
    // A task can't own it: its thread's next task takes it over, with its memory.
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
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
    keys: KeyValues,
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
        let seen_by_first = task.span.n_keys - task.span.n_queries + task.first + 1;
        let n_keys = seen_by_first + task.n_queries - 1;
        self.keys.prepare(&workspace.queries, &mut workspace.rounded);
        for block in KeyBlock::all(task.sequence, n_keys, task.kv_head) {
            self.meet(&block, seen_by_first, workspace);
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
    /// sees `seen_by_first` keys, each later one one more.
    #[inline(always)]
    fn meet(&self, block: &KeyBlock, seen_by_first: usize, workspace: &mut Workspace) {
        let Workspace { queries, rounded, scores, attended, max, sum } = workspace;
        let (rows, width, columns) = (max.len(), self.width, block.columns());
        scores.resize(rows * columns, 0.0);
        self.keys.scores(block, queries, rounded, scores);
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
        self.keys.add_values(block, scores, rounded, attended);
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
