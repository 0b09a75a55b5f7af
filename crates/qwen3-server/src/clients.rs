//! All connections of a server, and who goes when there are too many.

use crate::client::Client;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All connections of a server.
#[derive(Default)]
pub struct Clients(Mutex<HashMap<usize, Arc<Client>>>);

/// A connection's place among all, until this is dropped.
pub struct Place {
    clients: Arc<Clients>,
    client: Arc<Client>,
}

impl Clients {
    pub fn add(self: &Arc<Self>, client: Client) -> Place {
        let client = Arc::new(client);
        client.counts(1);
        self.all().insert(key(&client), client.clone());
        Place { clients: self.clone(), client }
    }

    /// Asks the one that is missed least to end: of those from whom something is awaited the one
    /// that takes longest, and those first that haven't sent a whole head. `false`: all wait for
    /// answers.
    pub fn drop_one(&self) -> bool {
        let all = self.all();
        let awaited = all.values().filter_map(|client| Some((client.awaited()?, client)));
        let chosen = awaited.min_by_key(|(awaited, _)| *awaited);
        if let Some((_, client)) = chosen {
            client.give_way();
        }
        chosen.is_some()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<usize, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.client.counts(-1);
        self.clients.all().remove(&key(&self.client));
    }
}

fn key(client: &Arc<Client>) -> usize {
    Arc::as_ptr(client).addr()
}
