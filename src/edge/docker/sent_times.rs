//! The times that the files of a context are sent with: another one for another content, also where the file says
//! otherwise.
//!
//! The engine keeps what it got for a shared key, and takes a file of the same name, size, permissions and time for the one
//! that it has. `cp -p`, `mv`, `rsync -a` and `tar x` bring other content with the same time, and what packagers make has
//! the same time always. So it is remembered for which file each time stood, by its inode and the time at which the system
//! saw it change, and another file is sent with another time: later by nanoseconds, within the same second, which is all
//! that images and cache keys see. This is kept in a file, so that it holds from one session to the next. Where there
//! is none, or it may be out of date, another shared key is used, and the engine begins with nothing.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::context::Entry;
use crate::model::Timestamp;

/// A file that changed so shortly ago may change again without another time: clocks of file systems tick this slowly.
const TICK_NANOS: i64 = 50_000_000;
/// The same where times are whole seconds, as far as one can see.
const SLOW_TICK_NANOS: i64 = 2_000_000_000;
/// After how many complete transfers without it a file is forgotten. By then the engine has it no more.
const MAX_AGE: u8 = 16;
/// How many sessions may build from the same context at once and still remember.
const MAX_SESSIONS: u32 = 8;
/// How long what nobody used is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What begins a file; then comes whether it is in use, the generation, and the marks.
const MAGIC: &[u8; 8] = b"tiltctx1";
const HEADER: usize = MAGIC.len() + 1 + size_of::<Generation>();
const RECORD: usize = 8 + 8 + 4 + 1;

/// Tells what the engine was sent under one key from what it was sent under the same key before all was forgotten.
type Generation = [u8; 16];

/// What is remembered of all contexts.
#[derive(Debug)]
pub(super) struct SentTimes {
    /// `None` where nothing can be kept.
    dir: Option<PathBuf>,
    ledgers: Mutex<HashMap<String, Ledger>>,
}

/// What is remembered of one context.
#[derive(Debug)]
struct Ledger {
    /// Locked, so that no other session uses it.
    file: Option<File>,
    generation: Generation,
    /// How many transfers are under way. While there is none, only the file remembers.
    n_transfers: usize,
    marks: HashMap<u64, Mark>,
}

/// For which file a look stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// 0 for one that could still change without a sign.
    stamp: u64,
    /// How many nanoseconds are added to its time.
    shift: u32,
    /// How many transfers ago it was sent.
    age: u8,
}

/// A build that may send files under one key.
pub(super) struct Transfer {
    times: Arc<SentTimes>,
    key: String,
    shared_key: String,
    began: Timestamp,
}

impl SentTimes {
    /// Returns what is remembered in a directory, which need not exist.
    pub(super) fn new(dir: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            dir,
            ledgers: Mutex::default(),
        })
    }

    /// Begins a build that sends files of what this key stands for.
    pub(super) fn begin(self: &Arc<Self>, key: &str, now: Timestamp) -> Transfer {
        let mut ledgers = self.lock();
        let ledger = ledgers
            .entry(key.to_owned())
            .or_insert_with(|| Ledger::find(self.dir.as_deref(), key));
        if ledger.n_transfers == 0 {
            ledger.load();
        }
        ledger.n_transfers += 1;
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(ledger.generation);
        Transfer {
            shared_key: hex(&hash.finalize()),
            times: Arc::clone(self),
            key: key.to_owned(),
            began: now,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    /// Returns the key under which the engine may keep what it is sent.
    pub(super) fn shared_key(&self) -> &str {
        &self.shared_key
    }

    /// Returns the time to send a file with, in nanoseconds since 1970.
    pub(super) fn time_of(&self, entry: &Entry) -> i64 {
        let tick = match entry.changed_nanos % 1_000_000_000 {
            0 => SLOW_TICK_NANOS,
            _ => TICK_NANOS,
        };
        let is_settled = entry.changed_nanos < self.began.0.saturating_mul(1000).saturating_sub(tick);
        let stamp = if is_settled { entry.stamp().max(1) } else { 0 };
        let mut ledgers = self.times.lock();
        let Some(ledger) = ledgers.get_mut(&self.key) else {
            return entry.modified_nanos;
        };
        let mark = ledger.marks.entry(entry.look());
        let mark = mark
            .and_modify(|mark| {
                if mark.stamp == 0 || mark.stamp != stamp {
                    (mark.stamp, mark.shift) = (stamp, mark.shift.wrapping_add(1));
                }
                mark.age = 0;
            })
            .or_insert(Mark {
                stamp,
                shift: 0,
                age: 0,
            });
        shifted(entry.modified_nanos, mark.shift)
    }

    /// Takes in that the engine has all that was listed, and nothing else.
    pub(super) fn is_complete(&self) {
        if let Some(ledger) = self.times.lock().get_mut(&self.key) {
            ledger.marks.retain(|_, mark| {
                mark.age += 1;
                mark.age <= MAX_AGE
            });
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(ledger) = self.times.lock().get_mut(&self.key) {
            ledger.n_transfers -= 1;
            if ledger.n_transfers == 0 {
                ledger.save();
            }
        }
    }
}

impl Ledger {
    /// Returns the first that no other session uses.
    fn find(dir: Option<&Path>, key: &str) -> Self {
        let file = dir.and_then(|dir| {
            prepare(dir).ok()?;
            (0..MAX_SESSIONS).find_map(|number| {
                let mut options = OpenOptions::new();
                options
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600);
                let file = options.open(dir.join(format!("{key}.{number}"))).ok()?;
                file.try_lock().ok()?;
                Some(file)
            })
        });
        Self {
            file,
            generation: random(),
            n_transfers: 0,
            marks: HashMap::new(),
        }
    }

    /// Reads the file, and says in it that it is out of date from now on. Where that fails, all begins anew.
    fn load(&mut self) {
        let Some(file) = &mut self.file else { return };
        match read(file) {
            Ok(Some((generation, marks))) => (self.generation, self.marks) = (generation, marks),
            Ok(None) => (self.generation, self.marks) = (random(), HashMap::new()),
            Err(_) => self.forget(),
        }
    }

    fn save(&mut self) {
        let Some(file) = &mut self.file else { return };
        match write(file, &self.generation, &self.marks) {
            Ok(()) => self.marks = HashMap::new(),
            // What is in memory holds for this session; the file says that it does not hold.
            Err(error) => {
                tracing::debug!(%error, "what was sent of a context cannot be kept");
                self.file = None;
            }
        }
    }

    fn forget(&mut self) {
        (self.file, self.generation, self.marks) = (None, random(), HashMap::new());
    }
}

/// Makes the directory, and takes out of it what nobody used for long.
fn prepare(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let oldest = SystemTime::UNIX_EPOCH
        + Duration::from_micros(u64::try_from(crate::clock::timestamp().0).unwrap_or(0)).saturating_sub(KEPT);
    for entry in std::fs::read_dir(dir)?.flatten() {
        let used = entry.metadata().and_then(|metadata| metadata.modified());
        if used.is_ok_and(|used| used < oldest) {
            // Another session may do the same.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Returns what a file says, and marks it as being in use; `None` for one that is new, broken, or was in use when its
/// session ended.
fn read(file: &mut File) -> io::Result<Option<(Generation, HashMap<u64, Mark>)>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    file.rewind()?;
    file.write_all(MAGIC)?;
    file.write_all(&[1])?;
    Ok(decode(&bytes))
}

fn decode(bytes: &[u8]) -> Option<(Generation, HashMap<u64, Mark>)> {
    let (header, records) = bytes.split_at_checked(HEADER)?;
    let rest = header.strip_prefix(MAGIC)?.strip_prefix(&[0])?;
    let generation = rest.try_into().ok()?;
    let (records, rest) = records.as_chunks::<RECORD>();
    if !rest.is_empty() {
        return None;
    }
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let marks = records.iter().map(|record| {
        let mark = Mark {
            stamp: number(&record[8..16]),
            shift: u32::try_from(number(&record[16..20])).unwrap_or(0),
            age: record[20],
        };
        (number(&record[..8]), mark)
    });
    Some((generation, marks.collect()))
}

fn write(file: &mut File, generation: &Generation, marks: &HashMap<u64, Mark>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(HEADER + marks.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    bytes.push(1);
    bytes.extend_from_slice(generation);
    for (look, mark) in marks {
        bytes.extend_from_slice(&look.to_le_bytes());
        bytes.extend_from_slice(&mark.stamp.to_le_bytes());
        bytes.extend_from_slice(&mark.shift.to_le_bytes());
        bytes.push(mark.age);
    }
    file.rewind()?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    // The last that is written: now it holds.
    file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    file.write_all(&[0])
}

/// Adds nanoseconds without leaving the second.
fn shifted(nanos: i64, shift: u32) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    let within = (nanos.rem_euclid(SECOND) + i64::from(shift)) % SECOND;
    nanos - nanos.rem_euclid(SECOND) + within
}

fn random() -> Generation {
    let mut bytes = Generation::default();
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    bytes
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "sent_times_tests.rs"]
mod tests;
