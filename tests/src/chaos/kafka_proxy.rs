//! A proxy that reads Kafka's frames: length, API key, correlation id. It loses, delays and breaks requests or answers by API key.
//!
//! A request that is late arrives on a connection whose client has long gone: what a network does when it lets an old packet through
//! after the client has connected anew.
//!
//! Absent on purpose: what the frames contain.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::plan::{Api, Trouble};
use super::wire::{self, Door, Pair};

/// A Kafka proxy.
pub struct KafkaProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    door: Arc<Door>,
    trouble: Mutex<Option<Active>>,
}

struct Active {
    api: Api,
    trouble: Trouble,
    /// Frames of that API seen since it began.
    seen: u64,
}

/// What becomes of one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Lose,
    Break,
    Late,
}

impl KafkaProxy {
    /// Opens the proxy; it leads nowhere yet.
    pub fn open() -> Self {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let port = wire::open(&shared.door, move |pair| serve(&serving, &pair));
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it leads.
    pub fn lead_to(&self, port: u16) {
        self.shared.door.lead_to(port);
    }

    /// From now on this happens to every second request of this API, or its answer.
    pub fn trouble(&self, api: Api, trouble: Trouble) {
        *self.active() = Some(Active {
            api,
            trouble,
            seen: 0,
        });
    }

    /// Breaks all connections.
    pub fn cut(&self) {
        self.shared.door.cut();
    }

    /// Lets nothing through.
    pub fn silence(&self) {
        self.shared.door.hold();
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        *self.active() = None;
        self.shared.door.heal();
    }

    /// Frames and connections that were struck.
    pub fn struck(&self) -> u64 {
        self.shared.door.struck()
    }

    fn active(&self) -> std::sync::MutexGuard<'_, Option<Active>> {
        self.shared.trouble.lock().expect("not poisoned")
    }
}

impl Shared {
    fn fate(&self, api: i16, answer: bool) -> Fate {
        let mut trouble = self.trouble.lock().expect("not poisoned");
        let Some(active) = trouble.as_mut().filter(|t| t.api as i16 == api) else {
            return Fate::Pass;
        };
        let (of_answer, fate) = match active.trouble {
            Trouble::RequestLost => (false, Fate::Lose),
            Trouble::AnswerLost => (true, Fate::Lose),
            Trouble::Broken => (true, Fate::Break),
            Trouble::AnswerLate => (true, Fate::Late),
            Trouble::RequestLate => (false, Fate::Late),
        };
        if of_answer != answer {
            return Fate::Pass;
        }
        active.seen += 1;
        if active.seen.is_multiple_of(2) {
            return Fate::Pass;
        }
        self.door.strike();
        fate
    }
}

/// API keys of requests under way, by correlation id.
type Asked = Arc<Mutex<HashMap<[u8; 4], i16>>>;

fn serve(shared: &Arc<Shared>, pair: &Pair) {
    let asked = Asked::default();
    let answers = (Arc::clone(shared), pair.share(), Arc::clone(&asked));
    let back = std::thread::spawn(move || {
        let (shared, pair, asked) = answers;
        carry_answers(&shared, &pair, &asked);
        pair.break_client();
    });
    let late = carry_requests(shared, pair, &asked);
    pair.break_client();
    if !late {
        pair.break_server();
    }
    let _ = back.join();
}

/// Ends with the connection; `true` if a late request still needs the server's half.
fn carry_requests(shared: &Shared, pair: &Pair, asked: &Asked) -> bool {
    let Pair { client, server } = pair;
    while let Some(frame) = read_frame(client) {
        shared.door.pass();
        let Some((api, correlation)) = request_of(&frame) else {
            return false;
        };
        asked.lock().expect("not poisoned").insert(correlation, api);
        match shared.fate(api, false) {
            Fate::Lose => continue,
            Fate::Late => {
                send_late(pair.share(), frame);
                return true;
            }
            Fate::Pass | Fate::Break => {}
        }
        if write_frame(server, &frame).is_none() {
            return false;
        }
    }
    false
}

fn carry_answers(shared: &Shared, pair: &Pair, asked: &Asked) {
    while let Some(frame) = read_frame(&pair.server) {
        shared.door.pass();
        let correlation = frame.get(..4).and_then(|bytes| bytes.try_into().ok());
        let api = correlation.and_then(|c: [u8; 4]| asked.lock().expect("not poisoned").remove(&c));
        match api.map_or(Fate::Pass, |api| shared.fate(api, true)) {
            Fate::Lose => continue,
            Fate::Break => return,
            Fate::Late => std::thread::sleep(ANSWER_LATE),
            Fate::Pass => {}
        }
        if write_frame(&pair.client, &frame).is_none() {
            return;
        }
    }
}

fn send_late(pair: Pair, frame: Vec<u8>) {
    std::thread::spawn(move || {
        std::thread::sleep(REQUEST_LATE);
        let _ = write_frame(&pair.server, &frame);
        // The answer is nobody's any more; the server only needs time to take the request.
        std::thread::sleep(ANSWER_LATE);
        pair.break_server();
    });
}

fn request_of(frame: &[u8]) -> Option<(i16, [u8; 4])> {
    let api = i16::from_be_bytes(frame.get(..2)?.try_into().ok()?);
    Some((api, frame.get(4..8)?.try_into().ok()?))
}

fn read_frame(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn write_frame(mut stream: &TcpStream, frame: &[u8]) -> Option<()> {
    let length = u32::try_from(frame.len()).ok()?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(frame);
    stream.write_all(&bytes).ok()
}

const ANSWER_LATE: Duration = Duration::from_millis(700);
/// Longer than a transaction may be open, so that its producer has been replaced and writes again.
const REQUEST_LATE: Duration = Duration::from_millis(2_500);

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    /// Answers every frame with its correlation id, and tells which came.
    fn server() -> (u16, Receiver<[u8; 4]>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, came) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.clone();
                std::thread::spawn(move || {
                    while let Some(frame) = read_frame(&stream) {
                        let (_, correlation) = request_of(&frame).unwrap();
                        let _ = told.send(correlation);
                        let _ = write_frame(&stream, &correlation);
                    }
                });
            }
        });
        (port, came)
    }

    fn request(api: Api, correlation: u8) -> Vec<u8> {
        let mut frame = (api as i16).to_be_bytes().to_vec();
        frame.extend([0, 0, 0, 0, 0, correlation]);
        frame
    }

    fn ask(stream: &TcpStream, api: Api, correlation: u8) {
        write_frame(stream, &request(api, correlation)).unwrap();
    }

    fn site(trouble: Trouble) -> (KafkaProxy, TcpStream, Receiver<[u8; 4]>) {
        let (port, came) = server();
        let proxy = KafkaProxy::open();
        proxy.lead_to(port);
        proxy.trouble(Api::EndTxn, trouble);
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        (proxy, stream, came)
    }

    #[test]
    fn a_lost_request_never_arrives_and_others_do() {
        let (proxy, stream, came) = site(Trouble::RequestLost);
        ask(&stream, Api::EndTxn, 1);
        ask(&stream, Api::Produce, 2);
        ask(&stream, Api::EndTxn, 3);
        assert_eq!(read_frame(&stream), Some(vec![0, 0, 0, 2]));
        assert_eq!(read_frame(&stream), Some(vec![0, 0, 0, 3]));
        assert_eq!(came.try_iter().count(), 2);
        assert_eq!(proxy.struck(), 1);
    }

    #[test]
    fn a_lost_answer_is_that_of_a_request_that_arrived() {
        let (_proxy, stream, came) = site(Trouble::AnswerLost);
        ask(&stream, Api::EndTxn, 1);
        ask(&stream, Api::Produce, 2);
        assert_eq!(read_frame(&stream), Some(vec![0, 0, 0, 2]));
        assert_eq!(came.try_iter().count(), 2);
    }

    #[test]
    fn a_connection_breaks_after_the_request_arrived() {
        let (_proxy, stream, came) = site(Trouble::Broken);
        ask(&stream, Api::EndTxn, 1);
        assert_eq!(read_frame(&stream), None);
        assert_eq!(came.recv(), Ok([0, 0, 0, 1]));
    }

    #[test]
    fn a_late_request_arrives_after_its_client_has_gone() {
        let (_proxy, stream, came) = site(Trouble::RequestLate);
        ask(&stream, Api::EndTxn, 1);
        assert_eq!(read_frame(&stream), None);
        assert!(came.try_recv().is_err());
        assert_eq!(came.recv(), Ok([0, 0, 0, 1]));
    }

    #[test]
    fn what_is_healed_goes_through_and_what_is_cut_does_not() {
        let (proxy, stream, _came) = site(Trouble::RequestLost);
        proxy.heal();
        ask(&stream, Api::EndTxn, 1);
        assert_eq!(read_frame(&stream), Some(vec![0, 0, 0, 1]));
        proxy.cut();
        assert_eq!(read_frame(&stream), None);
        let again = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let _ = write_frame(&again, &request(Api::EndTxn, 2));
        assert_eq!(read_frame(&again), None);
    }
}
