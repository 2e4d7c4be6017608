//! Whose request it is, as far as the network tells.

use std::net::IpAddr;

use actix_web::dev::RequestHead;

const FORWARDED_FOR: &str = "X-Forwarded-For";

/// The client's address: the peer's, or, where the peer is a trusted proxy, the last address of `X-Forwarded-For` that
/// isn't one. Read from the right: what stands further left was written by the client.
pub fn address(head: &RequestHead, trusted: &[IpAddr]) -> Option<IpAddr> {
    let peer = head.peer_addr?.ip().to_canonical();
    let headers = head.headers.get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok());
    Some(resolve(peer, headers, trusted))
}

/// True where the request came from this machine itself, not by way of a proxy on it.
pub fn is_local(head: &RequestHead, trusted: &[IpAddr]) -> bool {
    let unknown_proxy = head.headers.contains_key(FORWARDED_FOR) && trusted.is_empty();
    !unknown_proxy
        && !head.headers.contains_key("Forwarded")
        && address(head, trusted).is_some_and(|address| address.is_loopback())
}

fn resolve<'a>(peer: IpAddr, headers: impl Iterator<Item = &'a str>, trusted: &[IpAddr]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.contains(address);
    let mut client = peer;
    if !is_trusted(&client) {
        return client;
    }
    let hops: Vec<_> = headers.flat_map(|header| header.split(',')).collect();
    for hop in hops.into_iter().rev() {
        // What a trusted proxy wrote unreadably can't be followed further: the proxy answers for it.
        let Some(address) = parse_hop(hop) else { return client };
        client = address;
        if !is_trusted(&client) {
            return client;
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:5678`, `::1`, `[::1]`, `[::1]:5678`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()))
        .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>());
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
        let claims = ["10.9.9.9"];
        assert_eq!(resolve(ip("203.0.113.7"), claims.into_iter(), &[]), ip("203.0.113.7"));
        assert_eq!(resolve(ip("203.0.113.7"), claims.into_iter(), &[ip("10.0.0.1")]), ip("203.0.113.7"));
    }

    #[test]
    fn behind_trusted_proxies_the_last_untrusted_address_counts() {
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let through = |headers: &[&'static str]| resolve(trusted[0], headers.iter().copied(), &trusted);
        assert_eq!(through(&["1.1.1.1, 203.0.113.7"]), ip("203.0.113.7"));
        assert_eq!(through(&["1.1.1.1, 203.0.113.7, 10.0.0.2"]), ip("203.0.113.7"));
        assert_eq!(through(&["1.1.1.1", "203.0.113.7:4711"]), ip("203.0.113.7"));
        assert_eq!(through(&["[2001:db8::1]:80"]), ip("2001:db8::1"));
        assert_eq!(through(&["::ffff:203.0.113.7"]), ip("203.0.113.7"));
        assert_eq!(through(&[]), trusted[0]);
        assert_eq!(through(&["203.0.113.7, rubbish"]), trusted[0]);
    }
}
