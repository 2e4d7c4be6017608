//! Clients that are slow, large or idle, over real sockets: each costs a bounded amount, and nobody waits for them.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use kindred::config::Settings;
use kindred::http::connections::raise_file_limit;

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Longer than any of these tests lasts where all is well.
const PATIENCE: Duration = Duration::from_secs(100);
const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: shop.test\r\n";

fn impatient(settings: &mut Settings) {
    let limits = &mut settings.limits;
    (limits.head_seconds, limits.idle_seconds, limits.answer_seconds) = (1, 1, 1);
}

fn address(app: &TestApp) -> SocketAddr {
    app.url.trim_start_matches("http://").parse().unwrap()
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// What is said until the connection ends, and that it does.
fn last_words(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// One whole answer of the small ones, on a connection that stays.
fn answer(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut some = [0; 4_096];
    while !said.windows(4).any(|end| end == b"\r\n\r\n") || !said.ends_with(b"}") {
        let count = stream.read(&mut some).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&some[..count]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// A byte at a time, until the other end has had enough.
fn trickle(mut stream: TcpStream) -> String {
    let begun = Instant::now();
    while stream.write_all(b"x").is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it is never cut off");
        std::thread::sleep(Duration::from_millis(20));
        stream.set_nonblocking(true).unwrap();
        let is_over = !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        if is_over {
            break;
        }
    }
    last_words(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_byte_by_byte_is_cut_off_the_first_and_any_later_one() {
    let app = TestApp::spawn_tuned(impatient).await;
    let to = address(&app);
    let slow = tokio::task::spawn_blocking(move || {
        let mut first = connect(to);
        write!(first, "{REQUEST}X-Slow: ").unwrap();
        let said = trickle(first);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
        let mut later = connect(to);
        write!(later, "{REQUEST}\r\n").unwrap();
        assert!(answer(&mut later).starts_with("HTTP/1.1 200"));
        write!(later, "{REQUEST}X-Slow: ").unwrap();
        trickle(later);
    });
    // It is somebody else's time.
    while !slow.is_finished() {
        app.get("/healthz").send().await.ok(200);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    slow.await.unwrap();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_byte_by_byte_is_given_up() {
    let app = TestApp::spawn().await;
    let to = address(&app);
    let slow = tokio::task::spawn_blocking(move || {
        let mut stream = connect(to);
        let head = "POST /v1/sessions HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: 60000\r\n\r\n").unwrap();
        trickle(stream)
    });
    let said = slow.await.unwrap();
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("request_timeout"), "{said}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_or_too_many_are_refused_and_the_connection_ends() {
    let app = TestApp::spawn().await;
    let to = address(&app);
    let refused = tokio::task::spawn_blocking(move || {
        let large = format!("X-Large: {}\r\n", "x".repeat(200_000));
        let many = "X-Many: 1\r\n".repeat(200);
        let endless = "x".repeat(200_000);
        [large, many, endless].map(|more| {
            let mut stream = connect(to);
            // The other end may close before it has read all.
            let _ = write!(stream, "{REQUEST}{more}\r\n");
            last_words(stream)
        })
    });
    for said in refused.await.unwrap() {
        let is_refused = said.starts_with("HTTP/1.1 431") || said.starts_with("HTTP/1.1 400");
        assert!(said.is_empty() || is_refused, "{said}");
    }
    app.get("/healthz").send().await.ok(200);
    app.finish().await;
}

/// An answer that is larger than what lies between client and server, taken by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_his_answers_is_cut_off() {
    let app = TestApp::spawn_tuned(impatient).await;
    let to = address(&app);
    let cut = tokio::task::spawn_blocking(move || {
        let mut stream = connect(to);
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // One after the other, until nothing more goes in, and then until it is over.
        let request = "GET /openapi.json HTTP/1.1\r\nHost: shop.test\r\n\r\n";
        loop {
            match stream.write_all(request.as_bytes()) {
                Ok(()) => {}
                Err(error) => break error.kind(),
            }
        }
    });
    let kind = cut.await.unwrap();
    assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
    app.finish().await;
}

fn rss_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Of this machine's limits the most: each connection takes one descriptor here and two there, and other tests need some.
fn most_connections() -> usize {
    let files = usize::try_from(raise_file_limit()).unwrap_or(usize::MAX);
    (files.saturating_sub(2_000) / 2).min(10_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_cost_little_and_block_nobody() {
    let database = TestDatabase::create().await;
    let count = most_connections();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    drop(listener);
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_kindred"));
    program.arg("serve").env("DATABASE_URL", database.url()).env("KINDRED_LISTEN", to.to_string());
    program.env("KINDRED_LIMIT_CONNECTIONS", (count + 1_000).to_string()).env("KINDRED_LOG", "error");
    program.env("KINDRED_LIMIT_HEAD_SECONDS", "900").env("KINDRED_LIMIT_IDLE_SECONDS", "900");
    program.env("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "1000000");
    let child = program.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let process = child.id().unwrap();
    let looked = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        while TcpStream::connect(to).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it doesn't start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let ask = |stream: &mut TcpStream| {
            write!(stream, "{REQUEST}\r\n").unwrap();
            assert!(answer(stream).starts_with("HTTP/1.1 200"));
        };
        // What the first requests make for all.
        let mut first: Vec<_> = (0..100).map(|_| connect(to)).collect();
        first.iter_mut().for_each(ask);
        let before = rss_kb(process);
        let mut idle: Vec<_> = (0..count).map(|_| connect(to)).collect();
        idle.iter_mut().for_each(ask);
        // All of them stand, and whoever comes is answered.
        ask(&mut connect(to));
        let each = (rss_kb(process).saturating_sub(before)) * 1_024 / u64::try_from(count).unwrap();
        idle.iter_mut().rev().take(100).for_each(ask);
        each
    });
    let each = looked.await.unwrap();
    assert!(each < 48 * 1_024, "an idle connection takes {each} bytes");
    println!("{count} idle connections, {each} bytes each");
}
