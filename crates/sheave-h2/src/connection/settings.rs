use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Connection;
use crate::config::Config;
use crate::error::{Timeout, Violation};
use crate::error_code::ErrorCode;
use crate::event::Event;
use crate::frame;
use crate::settings::{MAX_WINDOW_SIZE, Settings};

/// What we let the peer do, and what of it the peer knows (RFC 9113 §6.5.3).
#[derive(Debug)]
pub(super) struct LocalSettings {
    /// What it has acknowledged, or what goes without saying.
    acknowledged: Settings,
    /// What it was told since, and when.
    told: VecDeque<(Settings, Instant)>,
    /// Whether the peer has said what it lets us do, and until when it has to.
    heard: bool,
    handshake_deadline: Option<Instant>,
    timeout: Option<Duration>,
}

impl LocalSettings {
    pub(super) fn new(settings: Settings, config: &Config, now: Instant) -> Self {
        Self {
            acknowledged: Settings::default(),
            told: [(settings, now)].into(),
            heard: false,
            handshake_deadline: config.handshake_timeout.and_then(|timeout| now.checked_add(timeout)),
            timeout: config.settings_timeout,
        }
    }

    /// What the peer keeps to for sure.
    pub(super) fn acknowledged(&self) -> &Settings {
        &self.acknowledged
    }

    /// What the peer was told last.
    pub(super) fn told(&self) -> &Settings {
        self.told.back().map_or(&self.acknowledged, |(settings, _)| settings)
    }

    /// How much larger the windows of streams get once the peer has acknowledged what it was told.
    pub(super) fn initial_window_increase(&self) -> u32 {
        self.told().initial_window_size.saturating_sub(self.acknowledged.initial_window_size)
    }

    pub(super) fn has_heard(&self) -> bool {
        self.heard
    }

    pub(super) fn timeout(&self) -> Option<(Instant, Timeout)> {
        let handshake = self.handshake_deadline.filter(|_| !self.heard);
        let settings = self.told.front().and_then(|(_, told)| told.checked_add(self.timeout?));
        match (handshake, settings) {
            (Some(handshake), Some(settings)) if settings < handshake => Some((settings, Timeout::Settings)),
            (Some(handshake), _) => Some((handshake, Timeout::Handshake)),
            (None, settings) => Some((settings?, Timeout::Settings)),
        }
    }
}

impl Connection {
    /// How many streams the peer may have open from now on. It is told.
    pub fn set_max_concurrent_streams(&mut self, most: u32, now: Instant) {
        self.tell(Settings { max_concurrent_streams: most, ..*self.local.told() }, now);
    }

    /// How much the peer may send on a stream before it is read, in bytes, up to 2^31 - 1, from now on: on new streams, and
    /// on those that are open (RFC 9113 §6.9.2).
    pub fn set_initial_window_size(&mut self, size: u32, now: Instant) {
        // RFC 9113 §6.9.2: nor may a window that has grown get above that.
        let size = size.min(MAX_WINDOW_SIZE - self.budget.grown());
        self.tell(Settings { initial_window_size: size, ..*self.local.told() }, now);
    }

    /// A server: takes an extended CONNECT from now on (RFC 8441 §3). Clients mostly look at the first SETTINGS alone.
    pub fn set_enable_connect_protocol(&mut self, now: Instant) {
        self.tell(Settings { enable_connect_protocol: true, ..*self.local.told() }, now);
    }

    fn tell(&mut self, settings: Settings, now: Instant) {
        let mut changes = settings.changes(self.local.told()).peekable();
        if changes.peek().is_some() {
            frame::Settings::write(&changes.collect::<Vec<_>>(), &mut self.control);
            self.local.told.push_back((settings, now));
        }
    }

    /// SETTINGS of the peer.
    pub(super) fn receive_settings(
        &mut self,
        settings: frame::Settings<'_>,
        now: Instant,
    ) -> Result<Option<Event>, Violation> {
        if settings.ack {
            return self.settings_acknowledged(now).map(|()| None);
        }
        if std::mem::replace(&mut self.local.heard, true) {
            self.glitch(now)?;
        }
        let before = self.remote;
        for setting in settings.iter() {
            // RFC 9113 §6.5.2: a server never lets anyone push to it.
            if !self.is_server() && setting.id == frame::Setting::ENABLE_PUSH && setting.value != 0 {
                return Err(Violation::connection(ErrorCode::PROTOCOL_ERROR, "ENABLE_PUSH from a server"));
            }
            self.remote.apply(setting)?;
            if setting.id == frame::Setting::HEADER_TABLE_SIZE {
                self.encoder.set_max_table_size(setting.value as usize);
            }
        }
        // RFC 9113 §6.9.2
        let difference = i64::from(self.remote.initial_window_size) - i64::from(before.initial_window_size);
        if difference != 0 {
            for stream in self.streams.iter_mut() {
                stream.sending.window.change(difference).map_err(|_| {
                    let why = "INITIAL_WINDOW_SIZE makes a window larger than 2^31 - 1";
                    Violation::connection(ErrorCode::FLOW_CONTROL_ERROR, why)
                })?;
            }
            for key in self.streams.keys().collect::<Vec<_>>() {
                self.scheduler.ready(key, &mut self.streams);
            }
        }
        frame::Settings::write_ack(&mut self.control);
        self.count_ack()?;
        Ok(Some(Event::Settings))
    }

    /// The peer keeps to what it was told first.
    fn settings_acknowledged(&mut self, now: Instant) -> Result<(), Violation> {
        let Some((settings, _)) = self.local.told.pop_front() else {
            return self.glitch(now);
        };
        let before = std::mem::replace(&mut self.local.acknowledged, settings);
        self.decoder.set_max_table_size(settings.header_table_size as usize);
        // RFC 9113 §6.9.2
        let difference = i64::from(settings.initial_window_size) - i64::from(before.initial_window_size);
        if difference != 0 {
            for stream in self.streams.iter_mut() {
                stream.receiving.resize(difference);
            }
            // What was too little of a large window may be enough of a small one.
            for key in self.streams.keys().collect::<Vec<_>>() {
                self.credit(key);
            }
        }
        Ok(())
    }
}
