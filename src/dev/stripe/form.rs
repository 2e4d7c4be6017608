//! Stripe's form style: `line_items[0][price_data][currency]=cny`, read strictly.
//!
//! A handler takes what it knows out of [`Params`] and then calls [`Params::finish`], which refuses what is left, as
//! Stripe does with unknown parameters.

use std::collections::BTreeMap;

use super::error::ApiError;

const PAIRS_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;

/// A value: text, or a hash (a list is a hash whose keys are numbers).
#[derive(Debug, Clone)]
pub enum Node {
    Text(String),
    Hash(Vec<(String, Node)>),
}

/// The parameters of one level, with the path that leads there (for messages).
#[derive(Debug, Clone, Default)]
pub struct Params {
    path: String,
    fields: Vec<(String, Node)>,
}

impl Params {
    /// Reads a query string or a form body.
    pub fn parse(input: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Vec::new();
        for (count, (name, value)) in url::form_urlencoded::parse(input).enumerate() {
            if count >= PAIRS_MAX {
                return Err(ApiError::invalid("Too many parameters."));
            }
            let (first, rest) = segments(&name)?;
            insert(&mut fields, &first, &rest, value.into_owned(), &name)?;
        }
        Ok(Self { path: String::new(), fields })
    }

    /// A text that says the same for the same parameters in any order, to compare a repeat with the first call.
    pub fn canonical(&self) -> String {
        let mut lines = Vec::new();
        flatten("", &Node::Hash(self.fields.clone()), &mut lines);
        lines.sort();
        lines.join("\n")
    }

    /// The name of a parameter of this level as the caller wrote it.
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}[{key}]", self.path) }
    }

    pub fn take(&mut self, key: &str) -> Option<Node> {
        let at = self.fields.iter().position(|(name, _)| name == key)?;
        Some(self.fields.swap_remove(at).1)
    }

    pub fn text(&mut self, key: &str) -> Result<Option<String>, ApiError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Hash(_)) => Err(ApiError::invalid(format!("Invalid string: {}", self.name(key)))
                .code("parameter_invalid_string")
                .param(self.name(key))),
            Some(Node::Text(text)) if text.is_empty() => Err(ApiError::invalid(format!(
                "You passed an empty string for '{0}'. We assume empty values are an attempt to unset a parameter; \
                 however '{0}' cannot be unset.",
                self.name(key)
            ))
            .code("parameter_invalid_empty")
            .param(self.name(key))),
            Some(Node::Text(text)) => Ok(Some(text)),
        }
    }

    /// A text of at most `characters_max` characters.
    pub fn short(&mut self, key: &str, characters_max: usize) -> Result<Option<String>, ApiError> {
        let text = self.text(key)?;
        if text.as_ref().is_some_and(|text| text.chars().count() > characters_max) {
            let name = self.name(key);
            let message = format!("Invalid string: {name} must be at most {characters_max} characters");
            return Err(ApiError::invalid(message).code("parameter_invalid_string").param(name));
        }
        Ok(text)
    }

    pub fn required(&mut self, key: &str) -> Result<String, ApiError> {
        self.text(key)?.ok_or_else(|| ApiError::required(&self.name(key)))
    }

    pub fn integer(&mut self, key: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let name = self.name(key);
        text.parse().map(Some).map_err(|_| {
            ApiError::invalid(format!("Invalid integer: {text}"))
                .code("parameter_invalid_integer")
                .param(name)
        })
    }

    pub fn boolean(&mut self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.text(key)?.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid(format!("Invalid boolean: {other}")).param(self.name(key))),
        }
    }

    /// One of a closed set of words.
    pub fn one_of(&mut self, key: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        if words.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let name = self.name(key);
        Err(ApiError::invalid(format!("Invalid {name}: must be one of {}", words.join(", "))).param(name))
    }

    pub fn hash(&mut self, key: &str) -> Result<Option<Params>, ApiError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Hash(fields)) => Ok(Some(Params { path: self.name(key), fields })),
            Some(Node::Text(_)) => {
                Err(ApiError::invalid(format!("Invalid object: {}", self.name(key))).param(self.name(key)))
            }
        }
    }

    /// The items of a list in the order of their numbers, each with its own path.
    fn items(&mut self, key: &str) -> Result<Vec<(String, Node)>, ApiError> {
        let name = self.name(key);
        let bad = || ApiError::invalid(format!("Invalid array: {name}")).param(name.clone());
        let fields = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Node::Text(_)) => return Err(bad()),
            Some(Node::Hash(fields)) => fields,
        };
        let mut numbered = Vec::new();
        for (index, node) in fields {
            numbered.push((index.parse::<u32>().map_err(|_| bad())?, node));
        }
        numbered.sort_by_key(|(index, _)| *index);
        Ok(numbered.into_iter().map(|(index, node)| (format!("{name}[{index}]"), node)).collect())
    }

    pub fn hashes(&mut self, key: &str) -> Result<Vec<Params>, ApiError> {
        let to_params = |(path, node)| match node {
            Node::Hash(fields) => Ok(Params { path, fields }),
            Node::Text(_) => Err(ApiError::invalid(format!("Invalid object: {path}")).param(path)),
        };
        self.items(key)?.into_iter().map(to_params).collect()
    }

    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, ApiError> {
        let to_text = |(path, node)| match node {
            Node::Text(text) => Ok(text),
            Node::Hash(_) => Err(ApiError::invalid(format!("Invalid string: {path}")).param(path)),
        };
        self.items(key)?.into_iter().map(to_text).collect()
    }

    /// Metadata within Stripe's limits: 50 keys, 40 characters a key without brackets, 500 a value. An empty value
    /// unsets a key, an empty `metadata` all of them.
    pub fn metadata(&mut self) -> Result<BTreeMap<String, String>, ApiError> {
        let name = self.name("metadata");
        let fields = match self.take("metadata") {
            None => return Ok(BTreeMap::new()),
            Some(Node::Text(text)) if text.is_empty() => return Ok(BTreeMap::new()),
            Some(Node::Text(_)) => return Err(ApiError::invalid("Invalid hash").param(name)),
            Some(Node::Hash(fields)) => fields,
        };
        let mut metadata = BTreeMap::new();
        for (key, node) in fields {
            let param = format!("{name}[{key}]");
            let Node::Text(value) = node else {
                return Err(ApiError::invalid("Metadata values must be strings.").param(param));
            };
            if key.chars().count() > 40 || value.chars().count() > 500 {
                let message = "Metadata keys can have up to 40 characters and values up to 500.";
                return Err(ApiError::invalid(message).code("parameter_invalid_string").param(param));
            }
            if !value.is_empty() {
                metadata.insert(key, value);
            }
        }
        if metadata.len() > 50 {
            return Err(ApiError::invalid("Metadata can have up to 50 keys.").param(name));
        }
        Ok(metadata)
    }

    /// Refuses parameters that Stripe has and the simulator doesn't act upon.
    pub fn refuse(&mut self, keys: &[&str]) -> Result<(), ApiError> {
        match keys.iter().find(|key| self.take(key).is_some()) {
            Some(key) => Err(ApiError::not_simulated(&self.name(key))),
            None => Ok(()),
        }
    }

    /// Refuses whatever nobody took.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.fields.first() {
            Some((key, _)) => Err(ApiError::unknown_parameter(&self.name(key))),
            None => Ok(()),
        }
    }
}

/// `a[b][]` → (`a`, [`b`, ``]).
fn segments(name: &str) -> Result<(String, Vec<String>), ApiError> {
    let bad = || ApiError::invalid(format!("Invalid parameter name: {name}"));
    let Some((first, rest)) = name.split_once('[') else { return Ok((name.to_owned(), Vec::new())) };
    let inner = rest.strip_suffix(']').ok_or_else(bad)?;
    let parts: Vec<String> = inner.split("][").map(str::to_owned).collect();
    if first.is_empty() || parts.len() > DEPTH_MAX || parts.iter().any(|part| part.contains(['[', ']'])) {
        return Err(bad());
    }
    Ok((first.to_owned(), parts))
}

fn insert(
    fields: &mut Vec<(String, Node)>,
    key: &str,
    rest: &[String],
    value: String,
    whole: &str,
) -> Result<(), ApiError> {
    let key = if key.is_empty() { fields.len().to_string() } else { key.to_owned() };
    let at = fields.iter().position(|(name, _)| *name == key);
    let Some((next, deeper)) = rest.split_first() else {
        return match at {
            Some(_) => Err(ApiError::invalid(format!("Received the parameter twice: {whole}")).param(whole)),
            None => {
                fields.push((key, Node::Text(value)));
                Ok(())
            }
        };
    };
    if at.is_none() {
        fields.push((key.clone(), Node::Hash(Vec::new())));
    }
    match fields.iter_mut().find(|(name, _)| *name == key) {
        Some((_, Node::Hash(inner))) => insert(inner, next, deeper, value, whole),
        _ => Err(ApiError::invalid(format!("Invalid hash: {whole}")).param(whole)),
    }
}

fn flatten(path: &str, node: &Node, lines: &mut Vec<String>) {
    match node {
        Node::Text(text) => lines.push(format!("{path}={text:?}")),
        Node::Hash(fields) => {
            for (key, node) in fields {
                flatten(&format!("{path}[{key}]"), node, lines);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_nested_lists_in_the_order_of_their_numbers() {
        let body = b"line_items[1][quantity]=2&line_items[0][quantity]=1&expand[]=a&expand[]=b&mode=payment";
        let mut params = Params::parse(body).unwrap();
        let mut items = params.hashes("line_items").unwrap();
        assert_eq!(items[0].integer("quantity").unwrap(), Some(1));
        assert_eq!(items[1].name("quantity"), "line_items[1][quantity]");
        assert_eq!(params.texts("expand").unwrap(), ["a", "b"]);
        assert_eq!(params.required("mode").unwrap(), "payment");
        params.finish().unwrap();
    }

    #[test]
    fn refuses_what_nobody_took_by_its_whole_name() {
        let mut params = Params::parse(b"a[b]=1&a[c]=2").unwrap();
        let mut inner = params.hash("a").unwrap().unwrap();
        inner.text("b").unwrap();
        let error = inner.finish().unwrap_err();
        assert_eq!(error.body()["error"]["param"], "a[c]");
        assert_eq!(error.body()["error"]["code"], "parameter_unknown");
    }

    #[test]
    fn the_canonical_text_ignores_order_and_sees_every_change() {
        let canonical = |body: &[u8]| Params::parse(body).unwrap().canonical();
        assert_eq!(canonical(b"a=1&m[x]=1&m[y]=2"), canonical(b"m[y]=2&m[x]=1&a=1"));
        assert_ne!(canonical(b"a=1&b=2"), canonical(b"a=1&b=3"));
        assert_ne!(canonical(b"a=1%0Ab=2"), canonical(b"a=1&b=2"));
    }

    #[test]
    fn metadata_has_stripes_limits() {
        let with = |key: usize, value: usize| {
            let body = format!("metadata[{}]={}", "k".repeat(key), "v".repeat(value));
            Params::parse(body.as_bytes()).unwrap().metadata()
        };
        assert!(with(40, 500).is_ok());
        assert!(with(41, 500).is_err());
        assert!(with(40, 501).is_err());
        let many: String = (0..51).map(|n| format!("metadata[k{n}]=v&")).collect();
        assert!(Params::parse(many.as_bytes()).unwrap().metadata().is_err());
    }
}
