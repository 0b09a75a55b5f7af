//! The score over the bytes of a vector, as a picture.

use super::error::EvalError;
use super::files::new_file;
use super::measure::Measures;
use super::settings::Label;
use crate::error::Error;
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const SIZE: (u32, u32) = (900, 540);

/// Points of the same setting but for the dimensions, by bytes.
type Curves = BTreeMap<String, Vec<(f64, f64)>>;

/// Draws a curve for each data set and setting.
pub fn draw(measures: &[Measures], path: &Path) -> Result<(), Error> {
    let failed = |message: String| EvalError::Plot { path: path.to_owned(), message };
    let curves = curves(measures);
    if curves.is_empty() {
        return Err(failed("no score is a number".to_owned()).into());
    }
    let mut text = String::new();
    chart(&curves, &mut text).map_err(|error| failed(error.to_string()))?;
    let mut file = new_file(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.replace());
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn curves(measures: &[Measures]) -> Curves {
    let mut curves = Curves::new();
    for of_data in measures {
        let labels: Vec<Label> = of_data.outcomes.iter().map(|of| of.label.clone()).collect();
        let without_size = |label: &Label| Label { dimensions: None, ..label.clone() };
        let others: Vec<Label> = labels.iter().map(without_size).collect();
        for outcome in &of_data.outcomes {
            let Some(dimensions) = outcome.label.dimensions else { continue };
            let name = without_size(&outcome.label).in_words(&others);
            let name = match measures.len() {
                1 => name,
                _ => format!("{}: {name}", of_data.data.name),
            };
            let score = outcome.evaluation.main();
            if score.is_finite() {
                curves.entry(name).or_default().push(((4 * dimensions) as f64, score));
            }
        }
    }
    for points in curves.values_mut() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    curves
}

fn chart(curves: &Curves, text: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let points = || curves.values().flatten();
    let least = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::NEG_INFINITY, f64::max);
    let (left, right) = (least(|point| point.0) / 1.5, most(|point| point.0) * 1.5);
    let (low, high) = (least(|point| point.1), most(|point| point.1));
    let margin = ((high - low) * 0.15).max(0.01);
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((left..right).log_scale(), low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("bytes of a vector")
        .y_desc("score")
        .x_label_formatter(&|bytes| format!("{bytes:.0}"))
        .draw()?;
    for (index, (name, points)) in curves.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    area.present()
}
