//! What a comparison found, for reading.

use crate::compare::Line;
use crate::parity::{Cell, Compared, Outcome};
use comfy_table::{Table, presets};

/// One line per stage of a model on a device, in the order of execution.
pub fn lines(cell: &Cell) -> String {
    let mut text = format!("{} on {} in {}\n", cell.model, cell.device, cell.dtype);
    for line in cell.compared().into_iter().flat_map(|compared| &compared.lines) {
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

const HEADING: [&str; 10] = [
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

/// A row per model, device and dtype, and why those that are wrong are.
pub fn table(cells: &[Cell]) -> String {
    let mut table = grid(&HEADING);
    for cell in cells {
        let mark = if cell.ok() { "[OK]" } else { "[DIFF]" };
        let numbers = cell.compared().map_or(["-"; 5].map(str::to_owned), numbers);
        let names = [mark, &cell.model, &cell.device, &cell.dtype].map(str::to_owned);
        let seconds = format!("{:.1}", cell.seconds);
        table.add_row(names.into_iter().chain(numbers).chain([seconds]));
    }
    let wrong = cells.iter().filter(|cell| !cell.ok()).map(|cell| {
        format!("[DIFF] {} on {} in {}: {}\n", cell.model, cell.device, cell.dtype, fault(cell))
    });
    format!("{}\n{}", table.trim_fmt(), wrong.collect::<String>())
}

/// From `1 - cosine` to `worst stage`.
fn numbers(compared: &Compared) -> [String; 5] {
    let is_stage = |line: &&Line| !["tokens", "embedding", "score"].contains(&&line.stage[..]);
    let stages = compared.lines.iter().filter(is_stage);
    let worst = stages.map(|line| line.difference.max_rel).filter(|x| x.is_finite());
    [
        short(1.0 - compared.worst_cosine),
        short(compared.worst_abs),
        if compared.same_ranking { "yes" } else { "no" }.to_owned(),
        short(compared.batch_error),
        short(worst.fold(0.0, f64::max)),
    ]
}

/// What is wrong first.
fn fault(cell: &Cell) -> String {
    let compared = match &cell.outcome {
        Outcome::Failed { error } => return error.clone(),
        Outcome::Compared(compared) => compared,
    };
    if let Some(line) = compared.first_difference() {
        return format!(
            "first differs at `{}` ({}): max rel {}, max abs {}, allowed {} ({})",
            line.stage,
            line.case,
            short(line.difference.max_rel),
            short(line.difference.max_abs),
            short(cell.bounds.stage),
            cell.bounds.reason,
        );
    }
    if !compared.same_ranking {
        return "documents are in another order".to_owned();
    }
    let (found, allowed) = (short(compared.batch_error), short(cell.bounds.batch));
    format!("a text's vector depends on its batch by {found}, allowed {allowed}")
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
