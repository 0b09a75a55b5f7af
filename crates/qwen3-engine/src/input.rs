//! What an embedding is made of: a text or tokens, and what stands before them.

/// A text, or the token ids that another program made of one. An end token is
/// added to ids that don't end with it.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A text; the prompt is put in front of it.
    Text(&'a str),
    /// Token ids; the prompt is not put in front of them.
    Ids(&'a [u32]),
}

/// What is put in front of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// The model's default: none, unless its files say otherwise.
    #[default]
    Default,
    /// What sentence-transformers puts in front of queries: the model's prompt `query`.
    Query,
    /// What it puts in front of documents: the first of the model's prompts
    /// `document`, `passage` and `corpus` that there is, else nothing.
    Document,
    /// The prompt of this name in the model's files.
    Name(String),
    /// `Instruct: {task}\nQuery:` with this task.
    Instruction(String),
    /// Exactly this text.
    Text(String),
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Input<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: ?Sized> From<&&'a T> for Input<'a>
where
    &'a T: Into<Input<'a>>,
{
    fn from(input: &&'a T) -> Self {
        (*input).into()
    }
}

impl<'a> From<&'a [u32]> for Input<'a> {
    fn from(ids: &'a [u32]) -> Self {
        Self::Ids(ids)
    }
}

impl<'a> From<&'a Vec<u32>> for Input<'a> {
    fn from(ids: &'a Vec<u32>) -> Self {
        Self::Ids(ids)
    }
}
