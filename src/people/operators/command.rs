//! `kindred operator …`: who runs it has the machine, so it needs no rights of the shop's.

use clap::{Args, Subcommand};

use super::rules::Role;
use super::service::{self, Created, NewOperator};
use crate::config::PasswordSettings;
use crate::db::{self, Pool};
use crate::error::AppError;
use crate::people::passwords::Password;
use crate::types::email::Email;

/// Where the password of a new operator is, unless it comes in on standard input. Never an argument: other users of the
/// machine can read those.
pub const PASSWORD_VARIABLE: &str = "OPERATOR_PASSWORD";

#[derive(Clone, Debug, Subcommand)]
pub enum OperatorCommand {
    /// Makes an operator, or gives an account that exists one more role.
    Create(Create),
}

#[derive(Clone, Debug, Args)]
pub struct Create {
    #[arg(long)]
    email: Email,
    /// owner, manager, support or analyst
    #[arg(long)]
    role: Role,
    /// Read the password of a new account from the first line of standard input, instead of OPERATOR_PASSWORD.
    #[arg(long)]
    password_stdin: bool,
}

/// Runs the command and says in a line what came of it.
///
/// # Errors
/// What is wrong with address, password or database.
pub async fn run(command: OperatorCommand, pool: &Pool) -> Result<String, String> {
    let OperatorCommand::Create(create) = command;
    let password = read_password(create.password_stdin)?;
    let operator = NewOperator { email: create.email, role: create.role, password };
    let clock = db::shop_clock(pool).await.map_err(explain)?;
    let cost = PasswordSettings::default();
    let created = service::create(pool, &cost, operator, clock.now()).await.map_err(explain)?;
    Ok(match created {
        Created::New(id) => format!("made {id}, {}", create.role.as_str()),
        Created::Promoted(id) => format!("{id} is {} now and keeps its password", create.role.as_str()),
    })
}

fn read_password(from_stdin: bool) -> Result<Option<Password>, String> {
    if from_stdin {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|error| format!("standard input: {error}"))?;
        return Ok(Some(Password::new(line.trim_end_matches(['\r', '\n']))));
    }
    Ok(std::env::var(PASSWORD_VARIABLE).ok().map(|text| Password::new(&text)))
}

/// A refusal as a person at a terminal reads it.
fn explain(error: AppError) -> String {
    match error.errors.as_slice().first() {
        Some(first) if first.field == "password" => {
            format!("password: {} (give it by --password-stdin or in {PASSWORD_VARIABLE})", first.detail)
        }
        _ => error.to_string(),
    }
}
