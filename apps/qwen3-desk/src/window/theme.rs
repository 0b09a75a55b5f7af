//! Colours, spacing and type, in light and in dark.

use eframe::egui::epaint::text::{FontInsert, FontPriority, InsertFontFamily};
use eframe::egui::{
    self, Color32, CornerRadius, FontData, FontFamily, FontId, Margin, Stroke, TextStyle, Theme,
};

/// Colours that egui has no name for.
#[derive(Clone, Copy)]
pub struct Palette {
    pub text: Color32,
    pub weak: Color32,
    pub accent: Color32,
    /// On the accent colour.
    pub on_accent: Color32,
    /// Behind the selected of several.
    pub selected: Color32,
    pub card: Color32,
    pub side: Color32,
    pub back: Color32,
    pub line: Color32,
    /// Behind words of the query.
    pub mark: Color32,
    pub good: Color32,
    pub bad: Color32,
}

const LIGHT: Palette = Palette {
    text: Color32::from_rgb(0x1F, 0x23, 0x2B),
    weak: Color32::from_rgb(0x62, 0x69, 0x76),
    accent: Color32::from_rgb(0x3D, 0x55, 0xCC),
    on_accent: Color32::WHITE,
    selected: Color32::from_rgb(0xE6, 0xEA, 0xFB),
    card: Color32::WHITE,
    side: Color32::from_rgb(0xEE, 0xF0, 0xF4),
    back: Color32::from_rgb(0xF7, 0xF8, 0xFA),
    line: Color32::from_rgb(0xDA, 0xDE, 0xE5),
    mark: Color32::from_rgb(0xFF, 0xE9, 0xA8),
    good: Color32::from_rgb(0x1B, 0x7F, 0x4B),
    bad: Color32::from_rgb(0xB3, 0x3A, 0x2B),
};

const DARK: Palette = Palette {
    text: Color32::from_rgb(0xE4, 0xE6, 0xEB),
    weak: Color32::from_rgb(0x9A, 0xA1, 0xAE),
    accent: Color32::from_rgb(0x8C, 0xA0, 0xFF),
    on_accent: Color32::from_rgb(0x12, 0x16, 0x26),
    selected: Color32::from_rgb(0x2C, 0x33, 0x4E),
    card: Color32::from_rgb(0x22, 0x25, 0x2C),
    side: Color32::from_rgb(0x15, 0x17, 0x1C),
    back: Color32::from_rgb(0x1A, 0x1D, 0x23),
    line: Color32::from_rgb(0x34, 0x39, 0x43),
    mark: Color32::from_rgb(0x5F, 0x4E, 0x17),
    good: Color32::from_rgb(0x5F, 0xC9, 0x94),
    bad: Color32::from_rgb(0xF0, 0x8A, 0x7A),
};

/// Colours that tell folders apart on the map, in both themes.
const FOLDERS: [(u8, u8, u8); 8] = [
    (0x4C, 0x78, 0xD8),
    (0xE0, 0x7B, 0x39),
    (0x3F, 0xA3, 0x6B),
    (0xC0, 0x4F, 0x9A),
    (0x8A, 0x6F, 0xD1),
    (0xC9, 0xA2, 0x27),
    (0x3A, 0xA6, 0xB5),
    (0xC9, 0x4B, 0x4B),
];

pub fn folder_colour(at: usize) -> Color32 {
    let (red, green, blue) = FOLDERS[at % FOLDERS.len()];
    Color32::from_rgb(red, green, blue)
}

pub fn palette(ui: &egui::Ui) -> Palette {
    if ui.visuals().dark_mode { DARK } else { LIGHT }
}

/// Round corners of cards and fields.
pub const ROUND: u8 = 8;

pub fn set(ctx: &egui::Context) {
    for (theme, palette) in [(Theme::Light, LIGHT), (Theme::Dark, DARK)] {
        ctx.style_mut_of(theme, |style| change(style, &palette));
    }
}

fn change(style: &mut egui::Style, palette: &Palette) {
    let size = |size, family| FontId::new(size, family);
    style.text_styles = [
        (TextStyle::Heading, size(21.0, FontFamily::Proportional)),
        (TextStyle::Body, size(14.5, FontFamily::Proportional)),
        (TextStyle::Button, size(14.5, FontFamily::Proportional)),
        (TextStyle::Monospace, size(13.0, FontFamily::Monospace)),
        (TextStyle::Small, size(12.5, FontFamily::Proportional)),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = egui::vec2(8.0, 8.0);
    spacing.button_padding = egui::vec2(12.0, 6.0);
    spacing.interact_size.y = 28.0;
    spacing.menu_margin = Margin::same(8);
    spacing.scroll = egui::style::ScrollStyle::thin();
    let visuals = &mut style.visuals;
    visuals.panel_fill = palette.back;
    visuals.window_fill = palette.card;
    visuals.window_stroke = Stroke::new(1.0, palette.line);
    visuals.extreme_bg_color = palette.card;
    visuals.faint_bg_color = palette.side;
    visuals.hyperlink_color = palette.accent;
    visuals.weak_text_color = Some(palette.weak);
    visuals.warn_fg_color = palette.bad;
    visuals.error_fg_color = palette.bad;
    visuals.selection.bg_fill = palette.selected;
    visuals.selection.stroke = Stroke::new(1.0, palette.accent);
    let round = CornerRadius::same(ROUND);
    visuals.window_corner_radius = round;
    visuals.menu_corner_radius = round;
    change_widgets(&mut visuals.widgets, palette);
}

fn change_widgets(widgets: &mut egui::style::Widgets, palette: &Palette) {
    let all = [
        (&mut widgets.noninteractive, palette.back, palette.line),
        (&mut widgets.inactive, palette.card, palette.line),
        (&mut widgets.hovered, palette.selected, palette.accent),
        (&mut widgets.active, palette.selected, palette.accent),
        (&mut widgets.open, palette.card, palette.accent),
    ];
    for (widget, fill, line) in all {
        widget.corner_radius = CornerRadius::same(ROUND);
        (widget.bg_fill, widget.weak_bg_fill) = (fill, fill);
        widget.bg_stroke = Stroke::new(1.0, line);
        widget.fg_stroke = Stroke::new(1.0, palette.text);
        widget.expansion = 0.0;
    }
}

/// Writing that egui's own letters lack, from the fonts of the system.
const MORE_LETTERS: &[&str] = &[
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "C:\\Windows\\Fonts\\msyh.ttc",
    "C:\\Windows\\Fonts\\malgun.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
];

/// Adds the system's letters behind egui's own.
pub fn add_letters(ctx: &egui::Context) {
    let fonts = MORE_LETTERS.iter().filter_map(|path| Some((path, std::fs::read(path).ok()?)));
    for (path, bytes) in fonts.take(2) {
        let families = [FontFamily::Proportional, FontFamily::Monospace];
        let behind = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
        let families = families.map(behind).into();
        ctx.add_font(FontInsert::new(path, FontData::from_owned(bytes), families));
    }
}
