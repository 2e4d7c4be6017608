//! What a product is found by. Words are found by their beginnings; of Chinese, Japanese and Korean text, which has no
//! spaces, each character and each pair of neighbours is a term, so that a query of two characters hits (bigrams, the usual
//! way to index such text: Manning et al., Introduction to Information Retrieval, §2.2.1).

use std::collections::BTreeSet;

/// Letters of a word that count; a longer one is found by its beginning.
const WORD_MAX: usize = 20;
/// Terms of one product: beyond it a text is no description.
const TERMS_MAX: usize = 20_000;
/// Terms of one query.
const QUERY_MAX: usize = 32;

/// A run of characters that belong together.
enum Run {
    Word(Vec<char>),
    Ideographs(Vec<char>),
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut is_open = false;
    for c in text.chars().flat_map(char::to_lowercase) {
        let is_letter = c.is_alphanumeric();
        match (runs.last_mut(), is_ideograph(c)) {
            (Some(Run::Ideographs(run)), true) if is_open => run.push(c),
            (Some(Run::Word(run)), false) if is_open && is_letter => run.push(c),
            (_, true) => runs.push(Run::Ideographs(vec![c])),
            (_, false) if is_letter => runs.push(Run::Word(vec![c])),
            _ => {}
        }
        is_open = is_letter;
    }
    runs
}

/// Every term by which these texts are found, each once.
pub fn terms<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut terms = BTreeSet::new();
    for run in texts.into_iter().flat_map(runs) {
        match run {
            Run::Word(word) => {
                let mut beginning = String::new();
                for letter in word.into_iter().take(WORD_MAX) {
                    beginning.push(letter);
                    terms.insert(beginning.clone());
                }
            }
            Run::Ideographs(run) => {
                terms.extend(run.iter().map(char::to_string));
                terms.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
        }
        if terms.len() > TERMS_MAX {
            break;
        }
    }
    terms.into_iter().collect()
}

/// The terms that a product must have to be found by a query; none: the query says nothing.
pub fn query_terms(query: &str) -> Vec<String> {
    let mut terms = BTreeSet::new();
    for run in runs(query) {
        match run {
            Run::Word(word) => {
                terms.insert(word.into_iter().take(WORD_MAX).collect());
            }
            Run::Ideographs(run) if run.len() == 1 => terms.extend(run.iter().map(char::to_string)),
            Run::Ideographs(run) => {
                terms.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
        }
    }
    terms.into_iter().take(QUERY_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, query: &str) -> bool {
        let terms = terms([text]);
        let wanted = query_terms(query);
        !wanted.is_empty() && wanted.iter().all(|term| terms.contains(term))
    }

    #[test]
    fn two_characters_hit_anywhere_and_words_by_their_beginning() {
        let text = "罗辑思维书盒：六本书、笔记本、一罐茶 (Book box 2014, SKU BOX-2014)";
        for query in ["书盒", "罗辑", "思维书", "茶", "book", "BOO", "box 2014", "书盒 Book", "笔记本"]
        {
            assert!(finds(text, query), "{query}");
        }
        for query in ["书辑", "盒书", "ook", "月饼", "box 2015", "", " ,.", "book 茶叶"] {
            assert!(!finds(text, query), "{query}");
        }
    }

    #[test]
    fn what_stands_apart_is_no_pair() {
        assert!(!finds("书 盒", "书盒"));
        assert!(!finds("书,盒", "书盒"));
        assert!(finds("奇异果kiwi", "果kiwi"), "where scripts meet, each counts for itself");
    }

    #[test]
    fn nothing_is_without_bounds() {
        assert!(terms(["字".repeat(100_000).as_str()]).len() <= TERMS_MAX + 1);
        let long = "a".repeat(100_000);
        assert_eq!(terms([long.as_str()]).len(), WORD_MAX);
        assert_eq!(query_terms(&"甲乙丙丁 ".repeat(1_000)).len(), 3);
        assert!(finds(&long, &long));
    }
}
