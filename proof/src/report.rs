//! What a comparison found, for reading.

use crate::compare::Line;
use crate::parity::Cell;
use comfy_table::{Table, presets};

/// One line per stage of a model on a device, in the order of execution.
pub fn lines(cell: &Cell) -> String {
    let mut text = format!("{} on {} in {}\n", cell.model, cell.device, cell.dtype);
    for line in &cell.lines {
        let mark = if line.ok { "[OK]  " } else { "[DIFF]" };
        let difference = line.difference;
        text.push_str(&format!(
            "{mark} {:<42} max abs {:<9} max rel {:<9} mean {:<9} cosine 1 - {:<9} {}\n",
            line.stage,
            short(difference.max_abs),
            short(difference.max_rel),
            short(difference.mean_abs),
            short(1.0 - difference.cosine),
            line.case,
        ));
    }
    text
}

/// A row per model, device and dtype.
pub fn table(cells: &[Cell]) -> String {
    let heading = [
        "",
        "model",
        "device",
        "dtype",
        "1 - cosine",
        "max abs",
        "same ranking",
        "batch",
        "worst stage",
        "seconds",
    ];
    let mut table = grid(&heading);
    for cell in cells {
        let is_stage = |line: &&Line| !["tokens", "embedding", "score"].contains(&&line.stage[..]);
        let stages = cell.lines.iter().filter(is_stage);
        let worst = stages.map(|line| line.difference.max_rel).filter(|x| x.is_finite());
        table.add_row([
            if cell.ok() { "[OK]" } else { "[DIFF]" }.to_owned(),
            cell.model.clone(),
            cell.device.clone(),
            cell.dtype.clone(),
            short(1.0 - cell.worst_cosine),
            short(cell.worst_abs),
            if cell.same_ranking { "yes" } else { "no" }.to_owned(),
            short(cell.batch_error),
            short(worst.fold(0.0, f64::max)),
            format!("{:.1}", cell.seconds),
        ]);
    }
    let mut text = format!("{}\n", table.trim_fmt());
    for cell in cells.iter().filter(|cell| !cell.ok()) {
        let what = match (&cell.error, cell.first_difference()) {
            (Some(error), _) => error.clone(),
            (None, Some(line)) => {
                let difference = line.difference;
                format!(
                    "first differs at `{}` ({}): max rel {}, max abs {}, allowed {} ({})",
                    line.stage,
                    line.case,
                    short(difference.max_rel),
                    short(difference.max_abs),
                    short(cell.bounds.stage),
                    cell.bounds.reason,
                )
            }
            (None, None) if !cell.same_ranking => "documents are in another order".to_owned(),
            (None, None) => format!(
                "a text's vector depends on its batch by {}, allowed {}",
                short(cell.batch_error),
                short(cell.bounds.batch)
            ),
        };
        text.push_str(&format!(
            "[DIFF] {} on {} in {}: {what}\n",
            cell.model, cell.device, cell.dtype
        ));
    }
    text
}

/// A table without lines, and with this heading.
pub fn grid(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(heading);
    table
}

/// Two digits, and an exponent.
pub fn short(number: f64) -> String {
    // What is left of a sum's last bit is no minus.
    if number <= 0.0 { "0".to_owned() } else { format!("{number:.1e}") }
}
