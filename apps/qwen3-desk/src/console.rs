//! Where messages go that are not for the window.
//!
//! On Windows a program has a console from its start or not at all, and one beside the window
//! would be in the way. So this program prints to the console that it was started from, and where
//! there is none, as after a click, it shows a small window with the message.

/// Prints to the console of whoever started the program from now on. Call this before anything
/// is printed.
#[cfg(windows)]
pub fn attach() {
    // What goes to a file or a pipe stays there.
    if !is_open(&std::io::stdout()) && !is_open(&std::io::stderr()) {
        // After a click there is no console.
        let _ = winsafe::AttachConsole(winsafe::PidParent::Parent);
    }
}

/// Elsewhere a program has what it was started with.
#[cfg(not(windows))]
pub fn attach() {}

/// Whether standard error is anything.
pub fn has_stderr() -> bool {
    #[cfg(windows)]
    return is_open(&std::io::stderr());
    #[cfg(not(windows))]
    true
}

#[cfg(windows)]
fn is_open(stream: &impl std::os::windows::io::AsRawHandle) -> bool {
    !stream.as_raw_handle().is_null()
}

/// Text with the controls that a terminal would obey spelled out, in one line. Files aren't
/// trusted: nothing of them may move the cursor, change colours or turn the order of letters.
pub fn plain(text: &str) -> String {
    let is_direction = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        match c.is_control() || is_direction(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
        line
    })
}

/// Shows a message that ends the program.
pub fn tell(message: &str) {
    if has_stderr() {
        eprintln!("{message}");
        return;
    }
    let window = rfd::MessageDialog::new().set_title("qwen3-desk").set_description(message);
    window.set_level(rfd::MessageLevel::Error).show();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_spelled_out() {
        assert_eq!(plain("naïve “北京” 🍞"), "naïve “北京” 🍞");
        assert_eq!(plain("a\x1b[2J\nb\u{202e}c\u{9b}"), r"a\u{1b}[2J\nb\u{202e}c\u{9b}");
    }
}
