//! Which of Linux's two ways leads to a screen.

use clap::Args;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::Path;
use winit::platform::x11::EventLoopBuilderExtX11;

/// What the environment says of screens.
#[derive(Debug, Default, Args)]
pub struct Screens {
    #[arg(long, env = "WAYLAND_DISPLAY", hide = true)]
    wayland_display: Option<OsString>,
    /// A connection that is open already.
    #[arg(long, env = "WAYLAND_SOCKET", hide = true)]
    wayland_socket: Option<OsString>,
    #[arg(long, env = "XDG_RUNTIME_DIR", hide = true)]
    xdg_runtime_dir: Option<OsString>,
    #[arg(long, env = "DISPLAY", hide = true)]
    display: Option<OsString>,
}

impl Screens {
    /// Uses X11 where the compositor that is named isn't there.
    pub fn event_loop(&self) -> Option<eframe::EventLoopBuilderHook> {
        self.needs_x11().then(|| -> eframe::EventLoopBuilderHook {
            Box::new(|builder| {
                builder.with_x11();
            })
        })
    }

    /// Whether that is so, and X11 may be there. No second attempt is possible after the first has
    /// failed: winit makes one event loop for a process.
    fn needs_x11(&self) -> bool {
        let Some(wayland) = said(&self.wayland_display) else { return false };
        let folder = self.xdg_runtime_dir.clone().unwrap_or_default();
        let answers = || UnixStream::connect(Path::new(&folder).join(wayland)).is_ok();
        said(&self.display).is_some() && said(&self.wayland_socket).is_none() && !answers()
    }
}

/// An empty variable says nothing.
fn said(variable: &Option<OsString>) -> Option<&OsString> {
    variable.as_ref().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn x11_takes_the_place_of_a_compositor_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("wayland-0").into_os_string();
        let screens = |wayland: &str| Screens {
            wayland_display: Some(wayland.into()),
            xdg_runtime_dir: Some(folder.path().into()),
            display: Some(":0".into()),
            ..Screens::default()
        };
        assert!(screens("wayland-0").needs_x11());
        assert!(!Screens { display: None, ..screens("wayland-0") }.needs_x11());
        assert!(!Screens { wayland_display: None, ..screens("") }.needs_x11());
        assert!(!screens("").needs_x11());
        assert!(!Screens { wayland_socket: Some("3".into()), ..screens("wayland-0") }.needs_x11());
        let listener = UnixListener::bind(&whole).unwrap();
        assert!(!screens("wayland-0").needs_x11());
        let by_path =
            Screens { wayland_display: Some(whole), xdg_runtime_dir: None, ..screens("") };
        assert!(!by_path.needs_x11());
        drop(listener);
        assert!(screens("wayland-0").needs_x11(), "a socket that was left behind");
    }
}
