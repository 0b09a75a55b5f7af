//! The line search of Moré and Thuente (1994), "Line search algorithms with guaranteed sufficient
//! decrease", with the constants of L-BFGS-B.

/// The part of the slope by which a step has to improve.
const DECREASE: f64 = 1e-3;
/// The part of the slope that may remain.
const CURVATURE: f64 = 0.9;
/// The part of a step that is as good as nothing.
const NARROW: f64 = 0.1;
const LONGEST: f64 = 1e10;
const MAX_TRIES: usize = 50;

/// A function of one length: its value and its slope there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub length: f64,
    pub value: f64,
    pub slope: f64,
}

impl Line {
    /// With the decrease that is asked for taken off.
    fn tilted(self, slope: f64) -> Self {
        Self { value: self.value - self.length * slope, slope: self.slope - slope, ..self }
    }
}

/// Tries lengths until one is good enough, and says whether the last one tried is a step to take.
pub(super) fn search(start: Line, first: f64, mut function: impl FnMut(f64) -> Line) -> bool {
    if start.slope >= 0.0 {
        return false;
    }
    let wanted = DECREASE * start.slope;
    let mut between =
        Between { best: start, other: start, is_bracketed: false, bounds: (0.0, 5.0 * first) };
    let (mut width, mut width_before) = (LONGEST, 2.0 * LONGEST);
    let (mut is_late, mut length) = (false, first.min(LONGEST));
    for _ in 0..MAX_TRIES {
        let tried = function(length);
        let limit = start.value + length * wanted;
        let is_lower = tried.value <= limit;
        is_late |= is_lower && tried.slope >= 0.0;
        let is_good = is_lower && tried.slope.abs() <= -CURVATURE * start.slope;
        let is_longest = length == LONGEST && is_lower && tried.slope <= wanted;
        if is_good || is_longest || between.is_stuck(length) || between.is_narrow() {
            return true;
        }
        // At first steps are chosen for the tilted function, if it tells more.
        length = if !is_late && tried.value <= between.best.value && !is_lower {
            between.tilt(wanted);
            let next = between.next(tried.tilted(wanted));
            between.tilt(-wanted);
            next
        } else {
            between.next(tried)
        };
        if between.is_bracketed {
            let (best, other) = (between.best.length, between.other.length);
            if (other - best).abs() >= 0.66 * width_before {
                length = best + 0.5 * (other - best);
            }
            (width_before, width) = (width, (other - best).abs());
        }
        length = between.bound(length);
        if !length.is_finite() {
            return false;
        }
    }
    false
}

/// The best length so far, and the other end of what holds a minimum.
struct Between {
    best: Line,
    other: Line,
    is_bracketed: bool,
    bounds: (f64, f64),
}

impl Between {
    fn is_stuck(&self, length: f64) -> bool {
        self.is_bracketed && (length <= self.bounds.0 || length >= self.bounds.1)
    }

    fn is_narrow(&self) -> bool {
        self.is_bracketed && self.bounds.1 - self.bounds.0 <= NARROW * self.bounds.1
    }

    fn tilt(&mut self, slope: f64) {
        (self.best, self.other) = (self.best.tilted(slope), self.other.tilted(slope));
    }

    /// Sets the bounds for the next length, and puts it within what is possible.
    fn bound(&mut self, length: f64) -> f64 {
        let (best, other) = (self.best.length, self.other.length);
        self.bounds = if self.is_bracketed {
            (best.min(other), best.max(other))
        } else {
            (length + 1.1 * (length - best), length + 4.0 * (length - best))
        };
        let length = length.clamp(0.0, LONGEST);
        if self.is_stuck(length) || self.is_narrow() { best } else { length }
    }

    /// The next length to try (section 4 of the paper), after which one end is what was tried.
    fn next(&mut self, tried: Line) -> f64 {
        let (best, turns) = (
            self.best,
            tried.slope.signum() * self.best.slope.signum() < 0.0 && tried.slope != 0.0,
        );
        let next = if tried.value > best.value {
            self.is_bracketed = true;
            let (cubic, quadratic) = (cubic(best, tried), quadratic(best, tried));
            let is_nearer = (cubic - best.length).abs() <= (quadratic - best.length).abs();
            if is_nearer { cubic } else { cubic + (quadratic - cubic) / 2.0 }
        } else if turns {
            self.is_bracketed = true;
            let (cubic, secant) = (cubic(tried, best), secant(tried, best));
            let is_farther = (cubic - tried.length).abs() > (secant - tried.length).abs();
            if is_farther { cubic } else { secant }
        } else if tried.slope.abs() < best.slope.abs() {
            self.flattening(tried)
        } else if self.is_bracketed {
            cubic(tried, self.other)
        } else {
            self.end_beyond(tried)
        };
        if tried.value > best.value {
            self.other = tried;
        } else {
            if turns {
                self.other = best;
            }
            self.best = tried;
        }
        next
    }

    /// Lower, and less steep in the same direction.
    fn flattening(&self, tried: Line) -> f64 {
        let (best, at) = (self.best, tried.length);
        let cubic = cubic_beyond(tried, best).unwrap_or_else(|| self.end_beyond(tried));
        let secant = secant(tried, best);
        let is_nearer = (cubic - at).abs() < (secant - at).abs();
        if !self.is_bracketed {
            let farther = if (cubic - at).abs() > (secant - at).abs() { cubic } else { secant };
            return farther.max(self.bounds.0).min(self.bounds.1);
        }
        let nearer = if is_nearer { cubic } else { secant };
        let most = at + 0.66 * (self.other.length - at);
        if at > best.length { nearer.min(most) } else { nearer.max(most) }
    }

    fn end_beyond(&self, tried: Line) -> f64 {
        if tried.length > self.best.length { self.bounds.1 } else { self.bounds.0 }
    }
}

/// The terms that both cubic steps share.
fn cubic_terms(from: Line, to: Line) -> (f64, f64, f64) {
    let theta = 3.0 * (from.value - to.value) / (to.length - from.length) + from.slope + to.slope;
    let scale = theta.abs().max(from.slope.abs()).max(to.slope.abs());
    let square = (theta / scale).powi(2) - (from.slope / scale) * (to.slope / scale);
    (theta, scale, square)
}

/// The minimum of the cubic through two points.
fn cubic(from: Line, to: Line) -> f64 {
    let (theta, scale, square) = cubic_terms(from, to);
    let root = if to.length < from.length { -1.0 } else { 1.0 } * scale * square.sqrt();
    let part = (root - from.slope + theta) / (root - from.slope + root + to.slope);
    from.length + part * (to.length - from.length)
}

/// The minimum of the cubic, if it lies on the far side of the first point.
fn cubic_beyond(from: Line, to: Line) -> Option<f64> {
    let (theta, scale, square) = cubic_terms(from, to);
    let root = if to.length < from.length { -1.0 } else { 1.0 } * scale * square.max(0.0).sqrt();
    let part = (root - from.slope + theta) / (root + (to.slope - from.slope) + root);
    (part < 0.0 && root != 0.0).then_some(from.length + part * (to.length - from.length))
}

/// The minimum of the parabola through both values and the first slope.
fn quadratic(from: Line, to: Line) -> f64 {
    let distance = to.length - from.length;
    from.length + from.slope / ((from.value - to.value) / distance + from.slope) / 2.0 * distance
}

/// The minimum of the parabola through both slopes.
fn secant(from: Line, to: Line) -> f64 {
    from.length + from.slope / (from.slope - to.slope) * (to.length - from.length)
}
