//! A connection that speaks as much HTTP/1.1 as a load driver needs: requests as ready bytes, answers with a length. On two
//! cores that also carry the program under test and its database, a whole client library would be measured with them.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer is never larger than that: more is a fault of who answers.
const ANSWER_MAX: usize = 8 * 1024 * 1024;
const HEADERS_MAX: usize = 64;

/// One connection, kept open.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Wire {
    /// # Errors
    /// When nobody listens there.
    pub async fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// When the connection ends, or the answer isn't one of those that are understood here.
    pub async fn call(&mut self, request: &[u8]) -> Result<Reply<'_>, Error> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, head, length) = loop {
            if let Some(found) = head_of(&self.buffer)? {
                break found;
            }
            self.read_more().await?;
        };
        let end = head.checked_add(length).filter(|end| *end <= ANSWER_MAX);
        let end = end.ok_or_else(|| wrong("an answer is too long"))?;
        while self.buffer.len() < end {
            self.read_more().await?;
        }
        let body = self.buffer.get(head..end).unwrap_or_default();
        Ok(Reply { status, body })
    }

    async fn read_more(&mut self) -> Result<(), Error> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(Error::from(ErrorKind::UnexpectedEof)),
            _ => Ok(()),
        }
    }
}

/// The status, where the body begins, and how long it is; none while the head isn't all there.
fn head_of(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| wrong(&error.to_string()))?;
    let httparse::Status::Complete(begins) = parsed else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    if matches!(status, 204 | 304) {
        return Ok(Some((status, begins, 0)));
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    let length = length.ok_or_else(|| wrong("an answer without its length"))?;
    Ok(Some((status, begins, length)))
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX: y\r\n\r\nhello";
        for end in 0..answer.len() - 5 {
            assert!(head_of(&answer[..end]).unwrap().is_none(), "{end}");
        }
        assert_eq!(head_of(answer).unwrap(), Some((201, answer.len() - 5, 5)));
        assert_eq!(head_of(b"HTTP/1.1 304 Not Modified\r\n\r\n").unwrap(), Some((304, 29, 0)));
        assert!(head_of(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(head_of(b"garbage\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_one_answer_and_an_end_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).await.unwrap();
            for piece in [&b"HTTP/1.1 200 OK\r\nContent-"[..], b"Length: 4\r\n\r\nab", b"cd"] {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            stream.read_exact(&mut asked).await.unwrap();
        });
        let mut wire = Wire::connect(address).await.unwrap();
        let reply = wire.call(b"ask!").await.unwrap();
        assert_eq!((reply.status, reply.body), (200, &b"abcd"[..]));
        assert!(wire.call(b"ask!").await.is_err());
    }
}
