//! How large each step is.

use std::f64::consts::PI;

/// Part of the learning rate that the last steps have.
const LAST: f64 = 0.05;
/// Steps that the learning rate rises for, where nobody says otherwise and the run is long.
const USUAL_WARM_UP: u64 = 200;

/// A learning rate that rises along a line, then falls along half a cosine
/// (Loshchilov and Hutter 2017, arXiv:1608.03983) to a twentieth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    learning_rate: f64,
    warm_up: u64,
    steps: u64,
}

impl Schedule {
    /// Without a `warm_up` it takes a tenth of the steps, at most 200.
    pub fn new(learning_rate: f64, warm_up: Option<u64>, steps: u64) -> Self {
        let warm_up = warm_up.unwrap_or(USUAL_WARM_UP.min(steps / 10));
        Self { learning_rate, warm_up, steps }
    }

    /// Steps that it rises for.
    pub fn warm_up(&self) -> u64 {
        self.warm_up
    }

    /// The learning rate of a step, counted from 1.
    pub fn at(&self, step: u64) -> f64 {
        if step <= self.warm_up {
            return self.learning_rate * step as f64 / self.warm_up as f64;
        }
        let falling = self.steps.saturating_sub(self.warm_up).max(1);
        let done = ((step - self.warm_up) as f64 / falling as f64).min(1.0);
        self.learning_rate * (LAST + (1.0 - LAST) * (1.0 + (PI * done).cos()) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_the_learning_rate_and_falls_to_a_twentieth() {
        let schedule = Schedule::new(2.0, Some(4), 104);
        assert_eq!((schedule.at(1), schedule.at(4)), (0.5, 2.0));
        // Half way down.
        assert!((schedule.at(54) - 2.0 * (0.05 + 0.475)).abs() < 1e-12);
        assert!((schedule.at(104) - 0.1).abs() < 1e-12);
        assert_eq!(Schedule::new(1.0, None, 50).warm_up(), 5);
        assert_eq!(Schedule::new(1.0, None, 1_000_000).warm_up(), 200);
        assert_eq!(Schedule::new(1.0, Some(0), 1).at(1), 0.05);
    }
}
