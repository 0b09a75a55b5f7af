//! What goes wrong between a hub and us.

use crate::error::Error;
use std::io::ErrorKind;
use ureq::Timeout;

/// Why there is no answer that can be used.
#[derive(Debug)]
pub enum Failure {
    /// Asking again may help.
    Temporary(String),
    /// Asking again gives the same.
    Permanent(String),
    /// The revision is at another commit by now.
    Moved,
    /// It isn't the hub's.
    Error(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failure {
    /// Of a request to this host.
    pub fn of_request(error: ureq::Error, host: &str) -> Self {
        match error {
            ureq::Error::Http(_) => Self::Permanent("the token or a URL can't be sent".to_owned()),
            ureq::Error::BadUri(_) => Self::Permanent("a URL can't be asked".to_owned()),
            error if is_without_connection(&error) => {
                Self::Temporary(format!("there is no connection to {host} ({error})"))
            }
            other => Self::Temporary(other.to_string()),
        }
    }
}

/// Whether nobody was reached, as without a network.
fn is_without_connection(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Timeout(step) => matches!(step, Timeout::Resolve | Timeout::Connect),
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::AddrNotAvailable
                | ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::NetworkUnreachable
        ),
        _ => false,
    }
}
