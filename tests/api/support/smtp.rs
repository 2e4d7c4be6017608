//! A mail server that follows a script: one step for each mail that is offered, and willing once the script is over.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What the server does with the next mail.
#[derive(Clone, Debug)]
pub enum Step {
    Accept,
    /// Answers this to `RCPT TO`.
    Refuse(&'static str),
    /// Takes the mail and never answers.
    Hang,
    /// Takes the mail, then the line is dead.
    Drop,
    /// Takes the mail and answers only when [`SmtpServer::answer_late`] is called.
    AnswerLate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    None,
    /// By STARTTLS.
    Upgraded,
    Wrapped,
}

/// A mail that the server has read to its end, whatever it answered.
#[derive(Clone, Debug)]
pub struct Received {
    pub to: String,
    pub text: String,
    pub encrypted: bool,
    pub user: Option<String>,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> &str {
        let line = self.text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }
}

pub struct SmtpServer {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Tls,
    /// `user:password` that is asked for, once encrypted.
    credentials: Option<&'static str>,
    script: Mutex<VecDeque<Step>>,
    received: Mutex<Vec<Received>>,
    late: Notify,
    acceptor: TlsAcceptor,
}

impl SmtpServer {
    pub async fn start(script: &[Step]) -> Self {
        Self::start_with(Tls::None, None, script).await
    }

    pub async fn start_with(tls: Tls, credentials: Option<&'static str>, script: &[Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            tls,
            credentials,
            script: Mutex::new(script.iter().cloned().collect()),
            received: Mutex::default(),
            late: Notify::new(),
            acceptor: acceptor(),
        });
        let server = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(Arc::clone(&server), stream));
            }
        });
        Self { port, shared }
    }

    /// A URL for `KINDRED_SMTP_URL`, with a short time-out.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}?timeout=1", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// What it does with the next mails.
    pub fn follow(&self, script: &[Step]) {
        *self.shared.script.lock().unwrap() = script.iter().cloned().collect();
    }

    /// Lets the answers that are held back go.
    pub fn answer_late(&self) {
        self.shared.late.notify_waiters();
    }
}

/// The file of the root certificate that vouches for the server's.
pub fn root_certificate() -> String {
    format!("{}/tests/api/support/tls/ca.pem", env!("CARGO_MANIFEST_DIR"))
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    match shared.tls {
        Tls::Wrapped => {
            if let Ok(stream) = shared.acceptor.accept(stream).await {
                Conversation::new(&shared, stream, true).run(true).await;
            }
        }
        Tls::None => {
            Conversation::new(&shared, stream, false).run(true).await;
        }
        Tls::Upgraded => {
            let Some(stream) = Conversation::new(&shared, stream, false).run(true).await else { return };
            if let Ok(stream) = shared.acceptor.accept(stream).await {
                Conversation::new(&shared, stream, true).run(false).await;
            }
        }
    }
}

struct Conversation<'a, S> {
    shared: &'a Shared,
    stream: BufReader<S>,
    encrypted: bool,
    user: Option<String>,
    to: String,
    step: Step,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S> {
    fn new(shared: &'a Shared, stream: S, encrypted: bool) -> Self {
        let stream = BufReader::new(stream);
        Self { shared, stream, encrypted, user: None, to: String::new(), step: Step::Accept }
    }

    async fn say(&mut self, line: &str) {
        let _ = self.stream.write_all(format!("{line}\r\n").as_bytes()).await;
        let _ = self.stream.flush().await;
    }

    async fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }

    /// Talks until the line is closed. Returns the bare stream where the client asked for TLS.
    async fn run(mut self, greets: bool) -> Option<S> {
        if greets {
            self.say("220 mail.test ESMTP").await;
        }
        while let Some(line) = self.hear().await {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => self.hello().await,
                "STARTTLS" => {
                    self.say("220 go ahead").await;
                    return Some(self.stream.into_inner());
                }
                "AUTH" => self.authenticate(&line).await,
                "MAIL" if self.shared.credentials.is_some() && self.user.is_none() => {
                    self.say("530 5.7.0 authentication required").await;
                }
                "MAIL" => {
                    self.step = self.shared.script.lock().unwrap().pop_front().unwrap_or(Step::Accept);
                    self.say("250 2.1.0 ok").await;
                }
                "RCPT" => self.recipient(&line).await,
                "DATA" => {
                    self.say("354 go on").await;
                    if !self.data().await {
                        return None;
                    }
                }
                "NOOP" | "RSET" => self.say("250 2.0.0 ok").await,
                "QUIT" => {
                    self.say("221 2.0.0 bye").await;
                    return None;
                }
                _ => self.say("502 5.5.1 unknown").await,
            }
        }
        None
    }

    async fn hello(&mut self) {
        self.say("250-mail.test").await;
        if self.shared.tls == Tls::Upgraded && !self.encrypted {
            self.say("250-STARTTLS").await;
        }
        if self.shared.credentials.is_some() {
            self.say("250-AUTH PLAIN").await;
        }
        self.say("250 8BITMIME").await;
    }

    async fn authenticate(&mut self, line: &str) {
        let given = STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
        let given = String::from_utf8(given).unwrap();
        let (user, password) = given.trim_start_matches('\0').split_once('\0').unwrap();
        if self.shared.credentials == Some(&format!("{user}:{password}")) {
            self.user = Some(user.to_owned());
            self.say("235 2.7.0 welcome").await;
        } else {
            self.say("535 5.7.8 wrong").await;
        }
    }

    async fn recipient(&mut self, line: &str) {
        self.to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match self.step {
            Step::Refuse(answer) => self.say(&answer.replace("{to}", &self.to)).await,
            _ => self.say("250 2.1.5 ok").await,
        }
    }

    /// Reads the mail and answers by the script; false where nothing more is said.
    async fn data(&mut self) -> bool {
        let mut text = String::new();
        while let Some(line) = self.hear().await {
            if line == "." {
                break;
            }
            text += line.strip_prefix('.').unwrap_or(&line);
            text.push('\n');
        }
        let received =
            Received { to: self.to.clone(), text, encrypted: self.encrypted, user: self.user.clone() };
        self.shared.received.lock().unwrap().push(received);
        match self.step {
            Step::Drop => return false,
            Step::Hang => std::future::pending().await,
            Step::AnswerLate => self.shared.late.notified().await,
            Step::Accept | Step::Refuse(_) => {}
        }
        self.say("250 2.0.0 queued").await;
        true
    }
}
