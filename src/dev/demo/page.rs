//! Fills in the demo's pages.

use minijinja::value::Serde;
use minijinja::{Environment, Value};

use crate::error::{AppError, Result};

/// The name's end makes the engine escape what it fills in.
const NAME: &str = "page.html";

/// # Errors
/// When page and data don't fit.
pub fn render(page: &str, context: &serde_json::Value) -> Result<String> {
    let mut pages = Environment::new();
    pages.add_template_owned(NAME, page.to_owned()).map_err(AppError::internal)?;
    let page = pages.get_template(NAME).map_err(AppError::internal)?;
    page.render(Value::from(Serde(context))).map_err(AppError::internal)
}
