//! Texts with summaries by people and by machines.

use super::evaluation::{Evaluation, Role, Rows, Sample};
use crate::correlation::check_differ;
use crate::{Error, NamedScores, Summaries, Table, Vectors, summarization};

/// Rows of summaries.
#[derive(Clone, Debug)]
pub(super) struct Summarized {
    /// The summaries of all rows: of each those by people, then those by machines.
    texts: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    people: usize,
    /// How good people find each of the machines'.
    gold: Vec<f64>,
}

impl Summarized {
    pub fn new(table: &Table) -> Result<Self, Error> {
        let human = table.text_lists("human_summaries")?;
        let machine = table.text_lists("machine_summaries")?;
        let gold = table.number_lists("relevance")?;
        let mut of = Self { texts: vec![], rows: vec![] };
        for (row, ((human, machine), gold)) in human.into_iter().zip(machine).zip(gold).enumerate()
        {
            if human.is_empty() || machine.is_empty() || machine.len() != gold.len() {
                return Err(Error::Lists {
                    path: table.path().to_owned(),
                    line: table.line(row),
                    found: format!(
                        "{} human_summaries, {} machine_summaries and {} numbers of relevance",
                        human.len(),
                        machine.len(),
                        gold.len(),
                    ),
                    expected: "each needs one at least, and each machine's summary its number",
                });
            }
            of.rows.push(Row { people: human.len(), gold });
            of.texts.extend(human.into_iter().chain(machine));
        }
        // mteb leaves out texts whose numbers are all the same.
        let check = |row: &Row| check_differ("numbers of relevance", &row.gold);
        if of.rows.iter().all(|row| check(row).is_err()) {
            check(&of.rows[0]).map_err(|error| error.of_file(table.path()))?;
        }
        Ok(of)
    }

    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    pub fn evaluate<E: From<Error>>(
        &self,
        main_score: &str,
        mut embed: impl FnMut(Role, &[String]) -> Result<Rows, E>,
    ) -> Result<Evaluation, E> {
        let rows = embed(Role::Text, &self.texts)?;
        let texts = self.of_vectors(&rows.of(&self.texts)?)?;
        let scores = NamedScores::from(&summarization(&texts)?);
        // A text whose scores are all the same counts for nothing.
        let each = texts.iter().enumerate().filter_map(|(row, text)| {
            let scores = NamedScores::from(&summarization(&[*text]).ok()?);
            Some(((row + 1).to_string(), scores.get(main_score)?))
        });
        let sample = Sample::Units { what: "row", scores: each.collect() };
        Ok(Evaluation { scores, main_score: main_score.to_owned(), sample, missing: vec![] })
    }

    fn of_vectors<'a>(&'a self, vectors: &Vectors<'a>) -> Result<Vec<Summaries<'a>>, Error> {
        let (width, mut rest) = (vectors.width(), vectors.numbers());
        let mut next = |count: usize| {
            let (numbers, others) = rest.split_at(count * width);
            rest = others;
            Vectors::new(numbers, width)
        };
        let of = |row: &'a Row| {
            let (human, machine) = (next(row.people)?, next(row.gold.len())?);
            Ok(Summaries { human, machine, gold: &row.gold })
        };
        self.rows.iter().map(of).collect()
    }
}
