//! The way to the cluster: it is made when the engine asks for it, or cannot be made; it is lost and comes back. And what is
//! looked out for because an update could not reach it.

use tilt::engine::{ClusterStatus, Effect, Event, Forwards, Mode};

use crate::rules::{Verdict, holds};
use crate::world::{Brain, World};

/// What the outside knows of the way to the cluster.
#[derive(Default)]
pub(crate) struct Way {
    state: State,
    /// The local ports that lead to pods, and whether anybody could lead them there when that was asked for.
    forwards: (Forwards, bool),
    /// Whether it is looked out for what could not be reached.
    looks_out: bool,
}

/// How far the connection is.
#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Unneeded,
    Asked,
    Failed,
    Made,
}

impl<B: Brain> World<B> {
    /// Judges what is asked of the connection.
    pub(crate) fn check_connection(&self, effect: &Effect) -> Verdict {
        let may = matches!(self.way.state, State::Unneeded | State::Failed);
        holds(may || !matches!(effect, Effect::ConnectCluster { .. }), || {
            "it connects though it is connected, or about to be".to_owned()
        })
    }

    pub(crate) fn obey_connection(&mut self, effect: Effect) {
        match effect {
            Effect::ConnectCluster { .. } => self.way.state = State::Asked,
            Effect::LookOut(wanted) => self.way.looks_out = wanted,
            Effect::ForwardPorts(forwards) => self.way.forwards = (forwards, self.way.state == State::Made),
            _ => {}
        }
    }

    /// Judges after each event: nothing that is away is forgotten, and nothing that was asked for before there was a cluster.
    pub(crate) fn check_way(&self) -> Verdict {
        if self.exit.is_some() {
            return Ok(());
        }
        let mut current = self.ledger.current.iter();
        let unreached = current.find(|(_, known)| known.unreached.is_some());
        holds(self.way.looks_out || unreached.is_none(), || {
            let name = unreached.map(|(name, _)| name.to_string());
            format!("nobody looks out for what {name:?} could not reach")
        })?;
        let (forwards, was_made) = &self.way.forwards;
        let is_heard = *was_made || self.way.state != State::Made || forwards.is_empty();
        holds(is_heard, || {
            "ports lead nowhere since the cluster is there".to_owned()
        })
    }

    /// Judges a world that has come to rest: what has something to deploy is connected.
    pub(crate) fn check_connected(&self) -> Verdict {
        let defined = self.ledger.defined.iter().flat_map(|project| &project.resources);
        let needs = defined.filter(|resource| resource.local.is_none()).count() > 0;
        holds(!needs || self.way.state == State::Made, || {
            "nobody has connected the cluster".to_owned()
        })
    }

    /// Lets something about the connection happen; returns whether it did.
    pub(crate) fn change_connection(&mut self) -> Result<bool, String> {
        let is_ci = self.chaos.mode != Mode::Up;
        match self.way.state {
            State::Asked if self.rng.percent(60) => {
                // A run whose cluster is not there ends.
                let fails = self.rng.percent(if is_ci { 5 } else { 50 });
                self.connect(!fails)?;
            }
            State::Made if self.way.looks_out && self.rng.percent(60) => {
                self.coverage.note("something comes back");
                self.send(Event::CameBack)?;
            }
            State::Made if !self.is_connected || self.rng.percent(10) => {
                // So does one that has lost it.
                if self.is_connected && is_ci && !self.rng.percent(20) {
                    return Ok(false);
                }
                self.is_connected = !self.is_connected;
                self.tell_of_connection()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Ends what is under way with the connection, well; returns whether anything was.
    pub(crate) fn settle_connection(&mut self) -> Result<bool, String> {
        match self.way.state {
            State::Asked => self.connect(true)?,
            State::Made if !self.is_connected => {
                self.is_connected = true;
                self.tell_of_connection()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn connect(&mut self, works: bool) -> Verdict {
        if !works {
            self.coverage.note("connecting fails");
        }
        self.way.state = if works { State::Made } else { State::Failed };
        self.is_connected = works;
        self.tell_of_connection()
    }

    fn tell_of_connection(&mut self) -> Verdict {
        let status = match self.is_connected {
            true => ClusterStatus::Connected,
            false => ClusterStatus::Failed("connection refused".to_owned()),
        };
        self.ledger.has_lost_cluster |= !self.is_connected;
        self.send(Event::ClusterChanged(status))
    }
}
