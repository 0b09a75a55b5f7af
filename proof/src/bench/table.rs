//! Speeds side by side.

use super::{OURS, PEER, Results, Row};
use crate::report::grid;

/// A row for each of our shapes, with ratios to the same shape of the peer and of earlier results.
pub fn table(rows: &[Row], earlier: Option<&Results>) -> String {
    let has_peer = rows.iter().any(|row| row.program == PEER);
    let mut heading =
        vec!["device", "dtype", "shape", "tokens/s", "seconds", "runs", "peak", "cold start"];
    heading.extend(has_peer.then_some(["peer tokens/s", "ratio to peer"]).into_iter().flatten());
    heading.extend(earlier.map(|_| "ratio to earlier"));
    let mut table = grid(&heading);
    for row in rows.iter().filter(|row| row.program == OURS) {
        let mut cells = own_cells(row);
        if has_peer {
            let peer = same(row, PEER, rows);
            let speed = peer.map(|peer| format!("{:.1}", peer.measured.tokens_per_second));
            cells.extend([speed.unwrap_or("-".to_owned()), ratio(row, peer)]);
        }
        cells.extend(earlier.map(|earlier| ratio(row, same(row, OURS, &earlier.rows))));
        table.add_row(cells);
    }
    format!("{}\n", table.trim_fmt())
}

fn own_cells(Row { device, dtype, measured, .. }: &Row) -> Vec<String> {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    vec![
        device.clone(),
        dtype.clone(),
        measured.shape.clone(),
        format!("{:.1}", measured.tokens_per_second),
        format!("{:.3}", measured.median_seconds),
        measured.repeats.to_string(),
        measured.peak_bytes.map_or("?".to_owned(), mebibytes),
        format!("{:.2} s", measured.cold_start_seconds),
    ]
}

/// The row of `program` for the same device, dtype and shape.
fn same<'a>(row: &Row, program: &str, rows: &'a [Row]) -> Option<&'a Row> {
    rows.iter().find(|other| {
        other.program == program
            && (&other.device, &other.dtype, &other.measured.shape)
                == (&row.device, &row.dtype, &row.measured.shape)
    })
}

fn ratio(row: &Row, other: Option<&Row>) -> String {
    let speed = |row: &Row| row.measured.tokens_per_second;
    other.map_or("-".to_owned(), |other| format!("{:.2}", speed(row) / speed(other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::measure::Measured;

    #[test]
    fn ratios_are_of_the_same_shape_and_device() {
        let row = |program: &str, shape: &str, tokens_per_second| Row {
            program: program.to_owned(),
            device: "cpu".to_owned(),
            dtype: "f32".to_owned(),
            measured: Measured {
                shape: shape.to_owned(),
                tokens: 1,
                repeats: 1,
                median_seconds: 1.0,
                min_seconds: 1.0,
                max_seconds: 1.0,
                tokens_per_second,
                cold_start_seconds: 1.0,
                peak_bytes: None,
            },
        };
        let rows = [row(OURS, "1x16", 30.0), row(PEER, "1x16", 10.0), row(OURS, "8x8", 5.0)];
        let rows_before = vec![row(OURS, "8x8", 4.0)];
        let earlier = Results { machine: String::new(), size: String::new(), rows: rows_before };
        let text = table(&rows, Some(&earlier));
        let last_three = |line: &str| -> Vec<String> {
            let cells: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            cells[cells.len() - 3..].to_vec()
        };
        let found: Vec<_> = text.lines().skip(1).map(last_three).collect();
        assert_eq!(found, [["10.0", "3.00", "-"], ["-", "-", "1.25"]], "{text}");
    }
}
