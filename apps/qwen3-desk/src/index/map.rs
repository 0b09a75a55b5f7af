//! Passages as points: the two directions in which their vectors differ most.
//!
//! Principal components are found by multiplying a direction with the data again and again,
//! which takes no library and gives the same map every time.

use super::{Index, Place};

/// Passages that the directions are found from. More don't turn them.
const SAMPLE: usize = 4000;
const ROUNDS: usize = 40;
/// What is smaller is rounding alone.
const SAME: f32 = 1e-5;

/// A passage on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapPoint {
    pub passage: u128,
    /// From 0 to 1 in both directions.
    pub at: [f32; 2],
    pub place: Place,
}

/// The map of all passages that have a place.
pub fn map(index: &Index) -> Vec<MapPoint> {
    let vectors = &index.vectors;
    let n = vectors.len();
    if n == 0 {
        return vec![];
    }
    let wide = |row: usize| {
        let (scale, numbers) = vectors.row(row);
        numbers.iter().map(|&number| f32::from(number) * scale).collect::<Vec<f32>>()
    };
    let mut sample: Vec<Vec<f32>> = (0..n).step_by(n.div_ceil(SAMPLE)).map(wide).collect();
    let mean = mean(&sample);
    sample.iter_mut().for_each(|row| add(row, &mean, -1.0));
    let first = direction(&sample, None);
    let second = direction(&sample, Some(&first));
    let at = |row: usize| {
        let mut row = wide(row);
        add(&mut row, &mean, -1.0);
        [dot(&row, &first), dot(&row, &second)]
    };
    let mut places: Vec<[f32; 2]> = (0..n).map(at).collect();
    spread(&mut places);
    let point = |(&passage, at): (&u128, [f32; 2])| {
        let place = index.catalogue.places(passage).into_iter().next()?;
        Some(MapPoint { passage, at, place })
    };
    vectors.passages().iter().zip(places).filter_map(point).collect()
}

fn mean(rows: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = vec![0.0; rows[0].len()];
    rows.iter().for_each(|row| add(&mut mean, row, 1.0 / rows.len() as f32));
    mean
}

/// The direction in which rows differ most, at right angles to another one; zeros if they don't.
fn direction(rows: &[Vec<f32>], other: Option<&[f32]>) -> Vec<f32> {
    let width = rows[0].len();
    // Any start that isn't at right angles to the answer.
    let mut direction: Vec<f32> = (0..width).map(|at| 1.0 + (at % 7) as f32).collect();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; width];
        rows.iter().for_each(|row| add(&mut next, row, dot(row, &direction)));
        let whole = dot(&next, &next).sqrt();
        if let Some(other) = other {
            let along = dot(&next, other);
            add(&mut next, other, -along);
        }
        let length = dot(&next, &next).sqrt();
        // What is left is made of rounding, and points anywhere.
        if length <= whole * SAME || length < 1e-12 {
            return vec![0.0; width];
        }
        direction = next.into_iter().map(|x| x / length).collect();
    }
    direction
}

/// Scales both directions to 0..1 by their bulk, so that a few far ones don't crowd the rest. What
/// doesn't differ is in the middle.
fn spread(places: &mut [[f32; 2]]) {
    for axis in 0..2 {
        let mut sorted: Vec<f32> = places.iter().map(|at| at[axis]).collect();
        sorted.sort_by(f32::total_cmp);
        let edge = sorted.len() / 200;
        let (low, high) = (sorted[edge], sorted[sorted.len() - 1 - edge]);
        let (middle, range) = (low.midpoint(high), (high - low).max(SAME));
        let scaled = |x: f32| (0.5 + (x - middle) / range).clamp(0.0, 1.0);
        places.iter_mut().for_each(|at| at[axis] = scaled(at[axis]));
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f32], what: &[f32], times: f32) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what * times);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Changes, FileRecord};

    #[test]
    fn passages_that_are_alike_are_neighbours() {
        let mut index = Index::default();
        // Three groups, each around a direction of its own.
        for n in 0..60u128 {
            let mut vector = vec![0.05; 8];
            vector[n as usize % 3] = 1.0;
            vector[3 + n as usize % 5] += 0.1;
            index.vectors.insert(n, &vector);
        }
        let passages = (0..60).map(|n| (n, 1)).collect();
        index.catalogue.apply(&Changes {
            contents: vec![(1, Some(passages))],
            files: vec![("/a".into(), Some(FileRecord { content: 1, ..FileRecord::default() }))],
            ..Changes::default()
        });
        let points = map(&index);
        assert_eq!(points.len(), 60);
        let apart = |a: usize, b: usize| {
            let (a, b) = (points[a].at, points[b].at);
            ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
        };
        for (n, point) in points.iter().enumerate().skip(3) {
            assert!(apart(n, n % 3) < 0.3, "{point:?}");
            assert!(apart(n, (n + 1) % 3) > 0.5, "{point:?}");
        }
    }

    #[test]
    fn what_does_not_differ_is_in_the_middle() {
        let mut index = Index::default();
        index.vectors.insert(1, &[0.6, 0.8, 0.0]);
        index.catalogue.apply(&Changes {
            contents: vec![(1, Some(vec![(1, 1), (2, 1)]))],
            files: vec![("/a".into(), Some(FileRecord { content: 1, ..FileRecord::default() }))],
            ..Changes::default()
        });
        assert_eq!(map(&index)[0].at, [0.5, 0.5]);
        // Two differ in one direction alone.
        index.vectors.insert(2, &[0.0, 0.0, 1.0]);
        let at = |point: MapPoint| point.at;
        let [one, two]: [[f32; 2]; 2] =
            map(&index).into_iter().map(at).collect::<Vec<_>>().try_into().unwrap();
        assert!((one[0] - two[0]).abs() > 0.99, "{one:?} {two:?}");
        assert!([one, two].iter().all(|at| (at[1] - 0.5).abs() < 0.1), "{one:?} {two:?}");
    }

    #[test]
    fn a_map_of_nothing_or_one_point_is_fine() {
        let mut index = Index::default();
        assert_eq!(map(&index), []);
        index.vectors.insert(1, &[1.0, 0.0]);
        assert_eq!(map(&index), []);
    }
}
