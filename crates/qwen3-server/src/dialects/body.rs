//! A request as a handler gets it: read, and counted among those that the
//! server holds.

use super::{Dialect, DialectError, FromFields, JsonText};
use crate::app::SharedApp;
use crate::inference::HeldBytes;
use axum::extract::{FromRequest, Request};
use std::marker::PhantomData;

/// A body that was read as JSON; it counts among those that the server holds
/// until the request has ended.
pub struct Body<D, T>(
    pub T,
    #[allow(dead_code, reason = "held")] pub(super) (HeldBytes, PhantomData<D>),
);

impl<D: Dialect, T: FromFields + Send + 'static> FromRequest<SharedApp> for Body<D, T> {
    type Rejection = DialectError<D>;

    async fn from_request(request: Request, app: &SharedApp) -> Result<Self, Self::Rejection> {
        Self::parse(JsonText::read(request, app).await?).await
    }
}

impl<D, T: FromFields + Send + 'static> Body<D, T> {
    /// A body whose text is here.
    pub async fn parse(json: JsonText) -> Result<Self, DialectError<D>> {
        let (body, held) = json.parse().await?;
        Ok(Self(body, (held, PhantomData)))
    }
}
