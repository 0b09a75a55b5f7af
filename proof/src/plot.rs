//! A picture of the error by layer, a curve per device and dtype.

use crate::error::Error;
use crate::parity::Cell;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (1000, 600);
/// What a difference of zero is drawn as.
const SMALLEST: f64 = 1e-9;

/// A name, and the error after each layer.
type Curve = (String, Vec<(f64, f64)>);

/// Draws the residual stream after each layer of one model into an SVG file.
///
/// # Errors
/// If there is nothing to draw, or the file can't be written.
pub fn draw(cells: &[&Cell], path: &Path) -> Result<(), Error> {
    let failed = |message: String| Error::Plot { path: path.to_owned(), message };
    let named = |cell: &&Cell| (format!("{} {}", cell.device, cell.dtype), curve(cell));
    let mut curves: Vec<Curve> = cells.iter().map(named).collect();
    curves.retain(|(_, points)| !points.is_empty());
    let (Some(cell), false) = (cells.first(), curves.is_empty()) else {
        return Err(failed("no stage was compared".to_owned()));
    };
    chart(&cell.model, &curves, path).map_err(|error| failed(error.to_string()))
}

fn chart(
    model: &str,
    curves: &[Curve],
    path: &Path,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let layers = points().map(|point| point.0).fold(1.0, f64::max);
    let highest = points().map(|point| point.1).fold(SMALLEST * 10.0, f64::max) * 2.0;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{model}: difference to Transformers"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..layers, (SMALLEST..highest).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("after layer (0: embeddings)")
        .y_desc("max abs / rms")
        .y_label_formatter(&|y| format!("{y:.0e}"))
        .draw()?;
    for (index, (name, points)) in curves.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    area.present()
}

/// The embeddings, then each layer's output.
fn curve(cell: &Cell) -> Vec<(f64, f64)> {
    let lines = cell.compared().into_iter().flat_map(|compared| &compared.lines);
    let streams = lines.filter_map(|line| {
        let layer = match line.stage.strip_prefix("layers.") {
            None if line.stage == "embed_tokens" => 0.0,
            Some(layer) => layer.parse::<f64>().ok()? + 1.0,
            None => return None,
        };
        let error = line.difference.max_rel;
        error.is_finite().then(|| (layer, error.max(SMALLEST)))
    });
    streams.collect()
}
