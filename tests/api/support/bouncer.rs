//! A PgBouncer of the machine's, in transaction mode, in front of a test's database.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::config::Host;

/// Debian puts it where ordinary users don't look.
const PROGRAMS: [&str; 3] = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"];

/// Connections to the server that all clients share.
pub const SERVER_CONNECTIONS: i64 = 3;

pub struct Bouncer {
    program: &'static str,
    settings: PathBuf,
    /// It refuses to run as root, so it runs as the server's own user, who may enter the socket's folder.
    user: (u32, u32),
    port: u16,
    process: Option<Child>,
}

impl Bouncer {
    /// None where the machine has no PgBouncer, which is said.
    pub async fn before(database: &str) -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|program| Path::new(program).exists()) else {
            println!("skipped: pgbouncer isn't installed");
            return None;
        };
        let config: tokio_postgres::Config = database.parse().unwrap();
        let (host, user) = match config.get_hosts().first().unwrap() {
            Host::Unix(folder) => {
                let meta = std::fs::metadata(folder).unwrap();
                (folder.display().to_string(), (meta.uid(), meta.gid()))
            }
            Host::Tcp(name) => (name.clone(), ordinary_user()),
        };
        let password =
            config.get_password().map(|word| format!(" password={}", String::from_utf8_lossy(word)));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "[databases]\nshop = host={host} port={} dbname={} user={}{}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\nmax_client_conn = 500\n",
            config.get_ports().first().unwrap_or(&5432),
            config.get_dbname().unwrap(),
            config.get_user().unwrap(),
            password.unwrap_or_default(),
        );
        let settings = std::env::temp_dir().join(format!("kindred-test-{}.ini", uuid::Uuid::now_v7()));
        std::fs::write(&settings, text).unwrap();
        std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut bouncer = Self { program, settings, user, port, process: None };
        bouncer.start().await;
        Some(bouncer)
    }

    pub fn url(&self) -> String {
        format!("postgres://kindred@127.0.0.1:{}/shop", self.port)
    }

    /// Ends it in the middle of everything, and starts it again after a moment.
    pub async fn restart(&mut self) {
        self.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.start().await;
    }

    async fn start(&mut self) {
        let mut command = Command::new(self.program);
        command.arg("--quiet").arg(&self.settings).current_dir("/").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).uid(self.user.0).gid(self.user.1);
        self.process = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "pgbouncer doesn't listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.settings);
    }
}

/// Whoever runs the tests, or nobody in root's place.
fn ordinary_user() -> (u32, u32) {
    let meta = std::fs::metadata("/proc/self").unwrap();
    if meta.uid() == 0 { (65_534, 65_534) } else { (meta.uid(), meta.gid()) }
}
