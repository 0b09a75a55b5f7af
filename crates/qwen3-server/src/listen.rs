//! Sockets, TCP or Unix: first bound, so that an address in use is told at once,
//! and open to clients when there is something to serve.

#[cfg(unix)]
use crate::socket_file::SocketFile;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, lookup_host};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

/// Clients that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Clone, Debug)]
pub enum Address {
    /// A host and a port; 0: any that is free. A name stands for all of its addresses, `::` and
    /// an empty host for every address, of IPv6 and IPv4.
    Tcp(String, u16),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix {
        /// Where.
        path: PathBuf,
        /// Who may connect, such as `0o660`; `None`: as files are made by this process.
        mode: Option<u32>,
    },
}

/// An address that is taken, but to which nobody can connect yet.
pub struct Bound {
    /// First, as it has to go before its socket does.
    #[cfg(unix)]
    file: Option<SocketFile>,
    sockets: Vec<Socket>,
}

/// Sockets that clients connect to.
pub struct Listener {
    /// First, as it has to go before its socket does.
    #[cfg(unix)]
    file: Option<SocketFile>,
    sockets: Vec<Accepting>,
}

enum Accepting {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// What both kinds of sockets give.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why nobody listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The socket can't be had.
    #[error("can't listen on {address}{}", way_out(.source))]
    Bind {
        /// Where.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of TLS can't be used.
    #[error("`{path}` is not a PEM file with a {expected}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What the parser said.
        source: pem::Error,
    },
    /// Certificate and key don't belong together.
    #[error("the certificate can't be used with this key")]
    Certificate {
        /// What the library said.
        source: rustls::Error,
    },
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; is another server running there?",
        io::ErrorKind::AddrNotAvailable => {
            "; it is no address of this machine: see `--hostname` and the variable `HOSTNAME`"
        }
        _ => "",
    }
}

impl Bound {
    /// Takes an address. A socket in the file system that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// If it can't be had.
    pub async fn new(address: &Address) -> Result<Self, ListenError> {
        let bound = match address {
            Address::Tcp(host, port) => tcp(host, *port).await,
            #[cfg(unix)]
            Address::Unix { path, mode } => SocketFile::bind(path, *mode)
                .map(|(socket, file)| Self { sockets: vec![socket], file: Some(file) }),
        };
        bound.map_err(|source| ListenError::Bind { address: address.to_string(), source })
    }

    /// Lets clients in.
    ///
    /// # Errors
    /// If another server was faster.
    pub fn listen(self) -> Result<Listener, ListenError> {
        let shown = self.shown();
        self.try_listen().map_err(|source| ListenError::Bind { address: shown, source })
    }

    fn try_listen(self) -> io::Result<Listener> {
        #[cfg(unix)]
        if self.file.as_ref().is_some_and(|file| !file.is_ours()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let open = |socket: Socket| {
            socket.listen(BACKLOG)?;
            #[cfg(unix)]
            if self.file.is_some() {
                let socket = std::os::fd::OwnedFd::from(socket);
                return UnixListener::from_std(socket.into()).map(Accepting::Unix);
            }
            TcpListener::from_std(socket.into()).map(Accepting::Tcp)
        };
        let sockets = self.sockets.into_iter().map(open).collect::<io::Result<_>>()?;
        Ok(Listener {
            sockets,
            #[cfg(unix)]
            file: self.file,
        })
    }

    fn shown(&self) -> String {
        #[cfg(unix)]
        if let Some(file) = &self.file {
            return file.path().display().to_string();
        }
        let address = self.sockets.first().and_then(|socket| socket.local_addr().ok());
        address.and_then(|at| at.as_socket()).map_or_else(String::new, |at| at.to_string())
    }
}

/// A socket for each address of a host.
async fn tcp(host: &str, port: u16) -> io::Result<Bound> {
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address,
        None if host.is_empty() => "::",
        None => host,
    };
    let mut addresses: Vec<SocketAddr> = vec![];
    for address in lookup_host((host, port)).await? {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    // A machine without IPv6 has no `::`.
    if addresses.iter().all(|address| address.is_ipv6() && address.ip().is_unspecified()) {
        addresses.push((Ipv4Addr::UNSPECIFIED, port).into());
    }
    let (mut sockets, mut lacking) = (vec![], io::Error::from(io::ErrorKind::AddrNotAvailable));
    for mut address in addresses {
        if let Some(port) = sockets.first().map(port_of).transpose()? {
            address.set_port(port);
        }
        match socket(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => lacking = error,
        }
        if address.ip().is_unspecified() && !sockets.is_empty() {
            break;
        }
    }
    if sockets.is_empty() {
        return Err(lacking);
    }
    Ok(Bound {
        sockets,
        #[cfg(unix)]
        file: None,
    })
}

/// Whether other addresses of the host don't help.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn port_of(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?.as_socket();
    Ok(address.expect("the socket is one of TCP").port())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Elsewhere it would let two servers have one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Listener {
    /// Where it listens: address and port, or the path of a Unix socket.
    pub fn address(&self) -> String {
        match &self.sockets[0] {
            Accepting::Tcp(socket) => {
                socket.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string())
            }
            #[cfg(unix)]
            Accepting::Unix(_) => {
                let file = self.file.as_ref().expect("a Unix socket has a file");
                file.path().display().to_string()
            }
        }
    }

    /// What to type into a browser on this machine; `None`: nothing reaches a Unix socket.
    pub fn url(&self, has_tls: bool) -> Option<String> {
        let scheme = if has_tls { "https" } else { "http" };
        let address = match &self.sockets[0] {
            Accepting::Tcp(socket) => socket.local_addr().ok()?,
            #[cfg(unix)]
            Accepting::Unix(_) => return None,
        };
        let (every, port) = (address.ip().is_unspecified(), address.port());
        Some(match every {
            true => format!("{scheme}://localhost:{port}"),
            false => format!("{scheme}://{address}"),
        })
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        std::future::poll_fn(|context| {
            for socket in &self.sockets {
                if let Poll::Ready(accepted) = socket.poll_accept(context) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Accepting {
    fn poll_accept(
        &self,
        context: &mut std::task::Context<'_>,
    ) -> Poll<io::Result<Box<dyn Stream>>> {
        match self {
            Self::Tcp(socket) => socket.poll_accept(context).map_ok(|(stream, _)| {
                // Answers are written at once. Fails where the client is gone by now.
                let _ = stream.set_nodelay(true);
                Box::new(stream) as Box<dyn Stream>
            }),
            #[cfg(unix)]
            Self::Unix(socket) => socket
                .poll_accept(context)
                .map_ok(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') && !host.starts_with('[') => {
                write!(f, "[{host}]:{port}")
            }
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix { path, .. } => path.display().fmt(f),
        }
    }
}
