//! All passages as points: what is alike lies together.

use super::Window;
use super::theme::{folder_colour, palette};
use super::widgets::{counted, title, weak};
use crate::folders::folder_of;
use crate::index::MapPoint;
use crate::worker::{Activity, Status};
use eframe::egui::{self, Color32, Mesh, Pos2, Rect, RichText, Sense, Shape, Ui, Vec2};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// How far from a point the mouse may be, in points of the screen.
const NEAR: f32 = 12.0;
const MARGIN: f32 = 18.0;
/// Passages that are new before the map is drawn again.
const STALE: usize = 10;

/// The state of the view.
pub struct Map {
    points: Vec<MapPoint>,
    /// How the index stood when it was asked for; `None`: it wasn't yet.
    asked: Option<Asked>,
    is_coming: bool,
    texts: HashMap<u128, String>,
    zoom: f32,
    centre: Vec2,
    mesh: Option<(Drawn, Arc<Mesh>)>,
    version: usize,
}

/// What points depend on.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// Passages that can be found.
    indexed: usize,
    revision: u64,
}

impl Asked {
    /// Whether the map has to be drawn again.
    fn is_stale(self, status: &Status) -> bool {
        let is_settled =
            matches!(status.activity, Activity::UpToDate | Activity::Paused | Activity::Waiting(_));
        // While files are indexed, now and then.
        self.indexed.abs_diff(status.indexed) > STALE.max(status.indexed / 10)
            || is_settled && self.revision != status.revision
    }
}

/// What a mesh depends on.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    rect: Rect,
    zoom: f32,
    centre: Vec2,
    version: usize,
    folders: Vec<PathBuf>,
}

impl Default for Map {
    fn default() -> Self {
        Self {
            points: vec![],
            asked: None,
            is_coming: false,
            texts: HashMap::new(),
            zoom: 1.0,
            centre: Vec2::splat(0.5),
            mesh: None,
            version: 0,
        }
    }
}

impl Map {
    pub fn take(&mut self, points: Vec<MapPoint>) {
        (self.points, self.is_coming) = (points, false);
        self.version += 1;
    }

    pub fn take_text(&mut self, passage: u128, text: String) {
        self.texts.insert(passage, text);
    }

    /// Draws these points, whatever the index has.
    #[cfg(test)]
    pub fn keep(&mut self) {
        self.is_coming = true;
    }

    #[cfg(test)]
    pub fn is_drawn(&self) -> bool {
        self.mesh.is_some()
    }

    /// Of the files with points.
    #[cfg(test)]
    pub fn names(&self) -> Vec<String> {
        let name = |point: &MapPoint| point.place.path.file_name().map(|name| name.to_owned());
        let names = self.points.iter().filter_map(name);
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    fn on_screen(&self, at: [f32; 2], rect: Rect) -> Pos2 {
        let size = rect.size() - Vec2::splat(2.0 * MARGIN);
        rect.center() + (Vec2::from(at) - self.centre) * size * self.zoom
    }

    /// The point under the mouse.
    fn near(&self, mouse: Pos2, rect: Rect) -> Option<&MapPoint> {
        let distance = |point: &&MapPoint| self.on_screen(point.at, rect).distance_sq(mouse);
        let nearest = self.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.filter(|point| distance(point) < NEAR * NEAR)
    }
}

pub fn show(window: &mut Window, ui: &mut Ui) {
    title(
        ui,
        "Map",
        "Each point is a passage; what is alike lies together. Scroll to zoom, drag to move, \
         double-click to see all again.",
    );
    let status = &window.status;
    let is_stale = window.map.asked.is_none_or(|asked| asked.is_stale(status));
    if is_stale && !window.map.is_coming {
        let asked = Asked { indexed: status.indexed, revision: status.revision };
        (window.map.asked, window.map.is_coming) = (Some(asked), true);
        window.worker.draw_map();
    }
    legend(window, ui);
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::click_and_drag());
    let colours = palette(ui);
    painter.rect_filled(response.rect, super::theme::ROUND, colours.card);
    if window.map.points.is_empty() {
        let text =
            if window.map.is_coming { "Drawing …" } else { "There is nothing to show yet." };
        let font = egui::FontId::proportional(15.0);
        painter.text(response.rect.center(), egui::Align2::CENTER_CENTER, text, font, colours.weak);
        return;
    }
    travel(&mut window.map, ui, &response);
    painter.add(Shape::mesh(mesh(window, response.rect)));
    found(window, &painter, response.rect);
    hover(window, ui, &response);
}

fn legend(window: &Window, ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        for (at, folder) in window.settings.folders.iter().enumerate() {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            ui.painter().circle_filled(rect.center(), 5.0, folder_colour(at));
            let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
            ui.label(RichText::new(name).size(13.0)).on_hover_text(folder.display().to_string());
            ui.add_space(6.0);
        }
        weak(ui, counted(window.map.points.len(), "passage"));
    });
}

/// Zooms around the mouse, and moves.
fn travel(map: &mut Map, ui: &Ui, response: &egui::Response) {
    let size = response.rect.size() - Vec2::splat(2.0 * MARGIN);
    map.centre -= response.drag_delta() / (size * map.zoom);
    let Some(mouse) = response.hover_pos() else { return };
    let (scrolled, pinched) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
    let factor = (scrolled * 0.005).exp() * pinched;
    if (factor - 1.0).abs() > 1e-4 {
        let from_centre = (mouse - response.rect.center()) / (size * map.zoom);
        let zoom = (map.zoom * factor).clamp(0.5, 60.0);
        map.centre += from_centre * (1.0 - map.zoom / zoom);
        map.zoom = zoom;
    }
    if response.double_clicked() {
        (map.zoom, map.centre) = (1.0, Vec2::splat(0.5));
    }
}

/// All points as one shape. It is made again only when something about it changes.
fn mesh(window: &mut Window, rect: Rect) -> Arc<Mesh> {
    let folders = window.settings.folders.clone();
    let map = &mut window.map;
    let drawn = Drawn { rect, zoom: map.zoom, centre: map.centre, version: map.version, folders };
    if let Some((of, mesh)) = &map.mesh
        && *of == drawn
    {
        return mesh.clone();
    }
    // Many points are small, or they would be one blot.
    let radius = (260.0 / (map.points.len() as f32).sqrt() * map.zoom.sqrt()).clamp(1.2, 4.5);
    let mut mesh = Mesh::default();
    for point in &map.points {
        let at = map.on_screen(point.at, rect);
        if rect.contains(at) {
            let folder = folder_of(&drawn.folders, &point.place.path);
            let colour = folder.and_then(|of| drawn.folders.iter().position(|folder| folder == of));
            let colour = folder_colour(colour.unwrap_or_default()).gamma_multiply(0.8);
            add_point(&mut mesh, at, (radius, colour));
        }
    }
    let mesh = Arc::new(mesh);
    map.mesh = Some((drawn, mesh.clone()));
    mesh
}

/// A small octagon: round enough, and eight corners instead of a circle's dozens.
fn add_point(mesh: &mut Mesh, at: Pos2, (radius, colour): (f32, Color32)) {
    const CORNERS: u32 = 8;
    let first = mesh.vertices.len() as u32;
    for corner in 0..CORNERS {
        let angle = std::f32::consts::TAU * (corner as f32 + 0.5) / CORNERS as f32;
        mesh.colored_vertex(at + Vec2::angled(angle) * radius, colour);
    }
    for corner in 2..CORNERS {
        mesh.add_triangle(first, first + corner - 1, first + corner);
    }
}

/// Rings around what the last search has found.
fn found(window: &Window, painter: &egui::Painter, rect: Rect) {
    let Some(found) = &window.search.found else { return };
    let hits: HashSet<u128> = found.hits.iter().map(|hit| hit.passage).collect();
    let stroke = egui::Stroke::new(1.5, painter.ctx().global_style().visuals.text_color());
    let painter = painter.with_clip_rect(rect);
    for point in window.map.points.iter().filter(|point| hits.contains(&point.passage)) {
        painter.circle_stroke(window.map.on_screen(point.at, rect), 6.0, stroke);
    }
}

/// Shows the passage under the mouse, and opens it.
fn hover(window: &mut Window, ui: &Ui, response: &egui::Response) {
    let Some(mouse) = response.hover_pos() else { return };
    let Some(point) = window.map.near(mouse, response.rect).cloned() else { return };
    let at = window.map.on_screen(point.at, response.rect);
    let stroke = egui::Stroke::new(2.0, palette(ui).accent);
    ui.painter().circle_stroke(at, 7.0, stroke);
    // Shown as soon as it is read.
    let mut is_new = false;
    let text = window.map.texts.entry(point.passage).or_insert_with(|| {
        is_new = true;
        String::new()
    });
    let text = text.clone();
    if is_new {
        window.worker.read_passage(point.passage);
    }
    response.clone().on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(360.0);
        let name = point.place.path.file_name().unwrap_or_default().to_string_lossy();
        ui.label(RichText::new(name).strong());
        ui.label(RichText::new(text).size(13.0));
    });
    if response.clicked() {
        window.open(&point.place.path);
    }
}
