//! `loss.svg`: the loss by step, and what was measured on held-out data.

use super::event::Record;
use crate::error::Error;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 540);
/// Points of a curve; more are no more to see.
const POINTS: usize = 1_000;

/// Points by step.
type Curve = Vec<(f64, f64)>;

/// Draws the records of a run.
///
/// # Errors
/// If the file can't be written.
pub(crate) fn draw(records: &[Record], path: &Path) -> Result<(), Error> {
    let loss = losses(records);
    if loss.len() < 2 {
        return Ok(());
    }
    let drawn = chart(&loss, &held_out(records), path);
    drawn.map_err(|error| Error::Plot { path: path.to_owned(), message: error.to_string() })
}

/// Means of neighbours, so that single batches don't hide the curve.
fn losses(records: &[Record]) -> Curve {
    let steps = records.iter().filter_map(|record| Some((record.step as f64, record.loss?)));
    let steps: Curve = steps.collect();
    let neighbours = steps.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let sums = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        let n = points.len() as f64;
        (sums.0 / n, sums.1 / n)
    };
    steps.chunks(neighbours).map(mean).collect()
}

/// The curve of each measure, by its name.
fn held_out(records: &[Record]) -> Vec<(String, Curve)> {
    let looks = || records.iter().filter(|record| !record.held_out.is_empty());
    let names = looks().next().map(|record| record.held_out.keys().cloned().collect::<Vec<_>>());
    let curve = |name: String| {
        let points =
            looks().filter_map(|look| Some((look.step as f64, *look.held_out.get(&name)?)));
        let points = points.collect();
        (name, points)
    };
    names.unwrap_or_default().into_iter().map(curve).collect()
}

fn chart(
    loss: &Curve,
    held_out: &[(String, Curve)],
    path: &Path,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let last = loss.last().map_or(1.0, |point| point.0).max(1.0);
    let highest = loss.iter().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .right_y_label_area_size(64)
        .build_cartesian_2d(0.0..last, 0.0..highest)?
        .set_secondary_coord(0.0..last, 0.0..1.0);
    chart.configure_mesh().x_desc("step").y_desc("loss").draw()?;
    chart.configure_secondary_axes().y_desc("held out").draw()?;
    chart
        .draw_series(LineSeries::new(loss.iter().copied(), BLACK.stroke_width(2)))?
        .label("loss")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK));
    for (index, (name, points)) in held_out.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_secondary_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    area.present()
}
