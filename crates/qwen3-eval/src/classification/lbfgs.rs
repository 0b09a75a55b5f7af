//! L-BFGS (Nocedal and Wright, "Numerical Optimization", algorithm 7.5), which stops where
//! scikit-learn has SciPy's L-BFGS-B stop.

use super::line_search::{Line, search};
use std::collections::VecDeque;

/// The largest derivative at the end.
const FLAT: f64 = 1e-4;
/// The smallest part by which a step has to improve.
const PROGRESS: f64 = 64.0 * f64::EPSILON;
const MAX_STEPS: usize = 100;
/// Steps that the curvature is estimated from.
const MEMORY: usize = 10;

/// How far a step went, and how the derivative changed on it.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
}

/// Where a function is smallest. It gives its value and its derivative.
pub(super) fn minimum(function: impl Fn(&[f64]) -> (f64, Vec<f64>), start: Vec<f64>) -> Vec<f64> {
    let mut at = start;
    let (mut value, mut gradient) = function(&at);
    let mut memory: VecDeque<Step> = VecDeque::new();
    for step in 0..MAX_STEPS {
        if gradient.iter().all(|slope| slope.abs() <= FLAT) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = product(&gradient, &direction);
        let first = if step == 0 { product(&direction, &direction).sqrt().recip() } else { 1.0 };
        let mut reached = None;
        let line = |length: f64| {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next_value, next_gradient) = function(&next);
            let slope = product(&next_gradient, &direction);
            reached = Some((next, next_value, next_gradient));
            Line { length, value: next_value, slope }
        };
        let is_found = search(Line { length: 0.0, value, slope }, first, line);
        let Some((next, next_value, next_gradient)) = reached.filter(|_| is_found) else { break };
        remember(
            &mut memory,
            Step { moved: difference(&next, &at), turned: difference(&next_gradient, &gradient) },
            &gradient,
        );
        let improved = value - next_value;
        let scale = value.abs().max(next_value.abs()).max(1.0);
        (at, value, gradient) = (next, next_value, next_gradient);
        if improved <= PROGRESS * scale {
            break;
        }
    }
    at
}

/// Keeps a step if the function curves up along it.
fn remember(memory: &mut VecDeque<Step>, step: Step, gradient: &[f64]) {
    if product(&step.moved, &step.turned) > -f64::EPSILON * product(gradient, &step.moved) {
        memory.push_back(step);
        if memory.len() > MEMORY {
            memory.pop_front();
        }
    }
}

/// Down the hill, by the curvature that the last steps met.
fn direction(gradient: &[f64], memory: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut factors = vec![];
    for Step { moved, turned } in memory.iter().rev() {
        let factor = product(moved, &direction) / product(moved, turned);
        add(&mut direction, turned, -factor);
        factors.push(factor);
    }
    if let Some(Step { moved, turned }) = memory.back() {
        let scale = product(moved, turned) / product(turned, turned);
        direction.iter_mut().for_each(|x| *x *= scale);
    }
    for (Step { moved, turned }, factor) in memory.iter().zip(factors.into_iter().rev()) {
        let back = product(turned, &direction) / product(moved, turned);
        add(&mut direction, moved, factor - back);
    }
    direction
}

fn add(to: &mut [f64], from: &[f64], factor: f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}
