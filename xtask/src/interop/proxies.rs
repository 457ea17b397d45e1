//! Proxies in front of a server.

use std::process::Command;

use super::peers::{Peers, Programs};
use crate::checks::START_LIMIT;
use crate::process::Helper;
use crate::{ports, workspace};

/// A proxy that takes HTTP/1.1 and HTTP/2.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Proxy {
    Nghttpx,
    Haproxy,
}

impl Proxy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nghttpx => "nghttpx",
            Self::Haproxy => "HAProxy",
        }
    }

    /// Starts it in front of what listens at `address`, and returns its own URL.
    pub(super) fn start(
        self,
        peers: &Peers,
        programs: &Programs,
        title: &str,
        address: &str,
        http2_behind: bool,
        tls: bool,
    ) -> Result<(Helper, String), String> {
        let port = ports::free()?;
        let mut command = match self {
            Self::Nghttpx => nghttpx(peers, programs, port, address, http2_behind, tls)?,
            Self::Haproxy => haproxy(peers, programs, port, address, http2_behind, tls)?,
        };
        let helper = Helper::start(&mut command, &peers.log(&format!("{title} proxy")))?;
        ports::wait_for(port, START_LIMIT)?;
        Ok((helper, format!("{}://127.0.0.1:{port}", if tls { "wss" } else { "ws" })))
    }
}

fn nghttpx(
    peers: &Peers,
    programs: &Programs,
    port: u16,
    address: &str,
    http2_behind: bool,
    tls: bool,
) -> Result<Command, String> {
    let mut command = programs.proxy("nghttpx")?;
    command.args(["--conf=/dev/null", "--workers=1", "--no-ocsp", "--accesslog-file=/dev/null"]);
    command.arg(format!("--frontend=127.0.0.1,{port}{}", if tls { "" } else { ";no-tls" }));
    let protocol = if http2_behind { "h2" } else { "http/1.1" };
    command.arg(format!("--backend={};;no-tls;proto={protocol}", address.replace(':', ",")));
    if tls {
        command.arg(&peers.certificates.key).arg(&peers.certificates.chain);
    }
    Ok(command)
}

fn haproxy(
    peers: &Peers,
    programs: &Programs,
    port: u16,
    address: &str,
    http2_behind: bool,
    tls: bool,
) -> Result<Command, String> {
    let tls = if tls {
        // Key and certificates are one file for it.
        let pem = peers.file("haproxy.pem");
        let certificates = &peers.certificates;
        let both = workspace::read(&certificates.key)? + &workspace::read(&certificates.chain)?;
        workspace::write(&pem, &both)?;
        format!(" ssl crt {} alpn h2,http/1.1", pem.display())
    } else {
        String::new()
    };
    let protocol = if http2_behind { " proto h2" } else { "" };
    let settings = format!(
        "defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
frontend front
  bind 127.0.0.1:{port}{tls}
  default_backend back
backend back
  server one {address}{protocol}
"
    );
    let file = peers.file("haproxy.cfg");
    workspace::write(&file, &settings)?;
    let mut command = programs.proxy("haproxy")?;
    // In the foreground.
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}
