//! A key as an argument.

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use qwen3_server::ApiKey;
use std::ffi::OsStr;

/// Reads a key. Clap would repeat a wrong one in its message.
#[derive(Clone)]
pub struct ApiKeyParser;

impl TypedValueParser for ApiKeyParser {
    type Value = ApiKey;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<ApiKey, clap::Error> {
        let reason = match value.to_str().map(str::parse) {
            Some(Ok(key)) => return Ok(key),
            Some(Err(error)) => qwen3_server::ApiKeyError::to_string(&error),
            None => "a key is not valid UTF-8".to_owned(),
        };
        let message = format!("`--api-key` or the variable `API_KEY`: {reason}\n");
        Err(clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command))
    }
}
