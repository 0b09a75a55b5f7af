//! Found stages against expected ones, in the order of execution, so that the
//! first line that differs names the place of the fault.

use crate::difference::Difference;
use crate::reference::{Stages, order};
use serde::Serialize;

/// A stage: its difference, of the worst case where there are several.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The stage's name.
    pub stage: String,
    /// The text or pair.
    pub case: String,
    /// How far it is off.
    #[serde(flatten)]
    pub difference: Difference,
    /// Whether that is within the bounds.
    pub ok: bool,
}

impl Line {
    /// A stage that is right if its relative difference is within `bound`.
    pub fn new(stage: &str, case: &str, difference: Difference, bound: f64) -> Self {
        let (stage, case) = (stage.to_owned(), case.to_owned());
        Self { stage, case, difference, ok: difference.max_rel <= bound }
    }
}

/// One line per expected stage; a stage that wasn't found is wrong.
pub fn compare(case: &str, expected: &Stages, found: &Stages, bound: f64) -> Vec<Line> {
    let of = |name: &str| found.iter().find(|(found, _)| found == name);
    let lines = expected.iter().map(|(name, expected)| {
        let found = of(name).map_or(&[][..], |(_, values)| values);
        Line::new(name, case, Difference::between(expected, found), bound)
    });
    lines.collect()
}

/// One line per stage over all cases, in the order of execution.
pub fn worst_of_each_stage(lines: Vec<Line>) -> Vec<Line> {
    let mut worst: Vec<Line> = vec![];
    for line in lines {
        match worst.iter_mut().find(|known| known.stage == line.stage) {
            None => worst.push(line),
            Some(known) => {
                if line.difference.max_rel > known.difference.max_rel {
                    known.case = line.case;
                }
                known.difference = known.difference.or_worse(line.difference);
                known.ok &= line.ok;
            }
        }
    }
    worst.sort_by_key(|line| order(&line.stage));
    worst
}

/// The first stage that is out of bounds.
pub fn first_difference(lines: &[Line]) -> Option<&Line> {
    lines.iter().filter(|line| !line.ok).min_by_key(|line| order(&line.stage))
}
