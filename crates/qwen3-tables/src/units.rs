//! What one machine of several does.

use crate::read::Table;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Rows of a part, at most. So many vectors of 1,024 dimensions are 256 MB.
pub const PART_ROWS: u64 = 65_536;

/// A share of the input: these rows of a file, or all of a file that is read from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Index of the file.
    pub file: usize,
    /// Index of its first part among those of the file.
    pub part: u64,
    /// Its rows; `None`: the file doesn't tell how many there are.
    pub rows: Option<Range<u64>>,
}

/// One of several machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// The only machine.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// Whether it is one of several.
    pub fn is_one_of_several(self) -> bool {
        self.count > 1
    }

    /// Its share of the units.
    pub fn of(self, units: Vec<Unit>) -> Vec<Unit> {
        let is_mine = |at: &u64| at % self.count == self.index;
        (0..).zip(units).filter(|(at, _)| is_mine(at)).map(|(_, unit)| unit).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `i/n`, counted from 0.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, count)| {
            Some(Self { index: index.parse().ok()?, count: count.parse().ok()? })
        });
        match parsed {
            Some(shard) if shard.index < shard.count => Ok(shard),
            Some(Self { count, .. }) if count > 0 => {
                Err(format!("shards are counted from 0, so the last one is {}/{count}", count - 1))
            }
            _ => Err("write it as 0/4, the first of four".to_owned()),
        }
    }
}

/// Cuts tables into units, the same ones on every machine: by row groups where a file has them.
/// There is one at least, so that tables without rows have a part without rows.
pub fn units(tables: &[Table]) -> Vec<Unit> {
    let of_table = |(file, table): (usize, &Table)| match table.row_groups() {
        None => vec![Unit { file, part: 0, rows: None }],
        Some(groups) => {
            let parts = parts(groups).into_iter().zip(0..);
            parts.map(|(rows, part)| Unit { file, part, rows: Some(rows) }).collect()
        }
    };
    let units: Vec<Unit> = tables.iter().enumerate().flat_map(of_table).collect();
    match units.is_empty() {
        true => vec![Unit { file: 0, part: 0, rows: Some(0..0) }],
        false => units,
    }
}

/// Ranges of at most [`PART_ROWS`] rows: several row groups, or a piece of one.
fn parts(groups: &[u64]) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = vec![];
    let mut start = 0;
    let mut end = 0;
    for &rows in groups {
        if end > start && end + rows - start > PART_ROWS {
            parts.push(start..end);
            start = end;
        }
        end += rows;
        while end - start > PART_ROWS {
            parts.push(start..start + PART_ROWS);
            start += PART_ROWS;
        }
    }
    if end > start {
        parts.push(start..end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_hold_every_row_once_in_order(groups in prop::collection::vec(0_u64..200_000, 0..20)) {
            let parts = parts(&groups);
            let mut next = 0;
            for part in &parts {
                prop_assert_eq!(part.start, next);
                prop_assert!(part.end > part.start && part.end - part.start <= PART_ROWS);
                next = part.end;
            }
            prop_assert_eq!(next, groups.iter().sum::<u64>());
        }

        #[test]
        fn shards_take_every_unit_once(n_units in 0_u64..50, count in 1_u64..9) {
            let units: Vec<Unit> = (0..n_units).map(|part| Unit { file: 0, part, rows: None }).collect();
            let mut taken: Vec<u64> = vec![];
            for index in 0..count {
                let shard: Shard = format!("{index}/{count}").parse().unwrap();
                taken.extend(shard.of(units.clone()).iter().map(|unit| unit.part));
            }
            taken.sort_unstable();
            prop_assert!(taken.into_iter().eq(0..n_units));
        }
    }

    #[test]
    fn a_shard_that_is_none_says_how_to_write_one() {
        let refused = |text: &str| text.parse::<Shard>().unwrap_err();
        assert_eq!(refused("4/4"), "shards are counted from 0, so the last one is 3/4");
        for text in ["", "1", "a/b", "0/0", "-1/2", "1/2/3"] {
            assert_eq!(refused(text), "write it as 0/4, the first of four", "{text}");
        }
    }
}
