//! What Python 3.11 and NumPy 2.4 draw.

use super::{Generator, Random, RandomState, SEED};

#[test]
fn random_state_draws_what_numpy_draws() {
    assert_eq!(RandomState::new(SEED).integers(1_000, 5), [102, 435, 860, 270, 106]);
    assert_eq!(RandomState::new(SEED).uniform(), 0.374_540_118_847_362_5);
    let mut items: Vec<usize> = (0..10).collect();
    RandomState::new(SEED).shuffle(&mut items);
    assert_eq!(items, [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
    assert_eq!(RandomState::new(SEED).distinct(10, 3), [8, 1, 5]);
    let quarters = [0.25, 0.5, 0.75, 1.0];
    let mut random = RandomState::new(SEED);
    assert_eq!([0; 4].map(|_| random.weighted(&quarters)), [1, 3, 2, 2]);
}

#[test]
fn random_draws_what_python_draws() {
    assert_eq!(Random::new(SEED).sample(1_000, 5), [654, 114, 25, 759, 281]);
    assert_eq!(Random::new(SEED).choices(1_000, 5), [639, 25, 275, 223, 736]);
    // Both ways in which Python draws a sample, and one after the other.
    let mut random = Random::new(SEED);
    assert_eq!(random.sample(20, 8), [3, 0, 8, 7, 16, 2, 11, 1]);
    assert_eq!(random.choices(20, 3), [13, 17, 1]);
}

#[test]
fn generator_shuffles_as_numpy_does() {
    let mut generator = Generator::new(SEED);
    let mut items: Vec<usize> = (0..10).collect();
    generator.shuffle(&mut items);
    assert_eq!(items, [5, 6, 0, 7, 3, 2, 4, 9, 1, 8]);
    let mut items: Vec<usize> = (0..7).collect();
    generator.shuffle(&mut items);
    assert_eq!(items, [6, 5, 2, 4, 3, 0, 1]);
}
