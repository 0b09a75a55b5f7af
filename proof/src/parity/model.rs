//! A model of either kind, asked for what a case has.

use crate::reference::{Case, CaseInput, Output};
use qwen3_engine::internals::Recorded;
use qwen3_engine::{
    Checkpoint, DEFAULT_TASK, Embedder, EncodeOptions, Error as EngineError, Kind, Options, Prompt,
    RankOptions, Reranker,
};

/// A model of either kind.
pub enum Model {
    Embedder(Embedder),
    Reranker(Reranker),
}

impl Model {
    pub fn load(checkpoint: &Checkpoint, options: &Options) -> Result<Self, EngineError> {
        match checkpoint.kind() {
            Kind::Embedding => Embedder::from_checkpoint(checkpoint, options).map(Self::Embedder),
            _ => Reranker::from_checkpoint(checkpoint, options).map(Self::Reranker),
        }
    }

    /// The tokens that this program makes of a case, with its own prompts.
    pub fn tokenize(&self, case: &Case) -> Result<Vec<u32>, EngineError> {
        let tokens = match (self, &case.input) {
            (Self::Embedder(model), CaseInput::Text(text)) => {
                let (text, prompt) = match text.strip_prefix(&official_query_prompt()) {
                    Some(query) => (query, Prompt::Query),
                    None => (&text[..], Prompt::Default),
                };
                model.tokenize([text], &EncodeOptions::default().prompt(prompt))
            }
            (Self::Reranker(model), CaseInput::Pair { instruction, query, document }) => {
                model.tokenize([(query, document)], &instructed(instruction))
            }
            _ => unreachable!("the reference is of the model's kind"),
        };
        Ok(tokens?.remove(0).input_ids)
    }

    pub fn stages(
        &self,
        sequences: &[&[u32]],
        tokens: &[u32],
    ) -> Result<Vec<Recorded>, EngineError> {
        match self {
            Self::Embedder(model) => model.session().stages(sequences, tokens),
            Self::Reranker(model) => model.session().stages(sequences, tokens),
        }
    }

    /// What users get for these cases in one call.
    pub fn outputs(&self, cases: &[&Case]) -> Result<Vec<Output>, EngineError> {
        match self {
            Self::Embedder(model) => {
                let ids = cases.iter().map(|case| &case.input_ids[..]);
                let embeddings = model.encode(ids, &EncodeOptions::default())?;
                let outputs = embeddings.into_iter();
                Ok(outputs.map(|embedding| Output::Embedding(embedding.vector)).collect())
            }
            Self::Reranker(model) => cases_by_instruction(model, cases),
        }
    }
}

/// Scores in the order of `cases`; those that share an instruction share a call.
fn cases_by_instruction(model: &Reranker, cases: &[&Case]) -> Result<Vec<Output>, EngineError> {
    let mut outputs: Vec<Output> = cases.iter().map(|_| Output::LogOdds(f64::NAN)).collect();
    let parts = |case: &Case| match &case.input {
        CaseInput::Pair { instruction, query, document } => {
            (instruction.clone(), query.clone(), document.clone())
        }
        CaseInput::Text(_) => unreachable!("the reference is of the model's kind"),
    };
    let mut instructions: Vec<String> = cases.iter().map(|case| parts(case).0).collect();
    instructions.sort();
    instructions.dedup();
    for instruction in instructions {
        let of_it = (0..cases.len()).filter(|&index| parts(cases[index]).0 == instruction);
        let of_it: Vec<usize> = of_it.collect();
        let pairs: Vec<(String, String)> = of_it
            .iter()
            .map(|&index| parts(cases[index]))
            .map(|(_, query, document)| (query, document))
            .collect();
        let scores = model.score(pairs, &instructed(&instruction))?;
        for (index, score) in of_it.into_iter().zip(scores) {
            outputs[index] = Output::LogOdds(score.log_odds);
        }
    }
    Ok(outputs)
}

fn instructed(instruction: &str) -> RankOptions {
    RankOptions::default().instruction(instruction)
}

/// How the model cards' queries begin.
fn official_query_prompt() -> String {
    format!("Instruct: {DEFAULT_TASK}\nQuery:")
}
