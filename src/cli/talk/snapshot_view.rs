//! `tilt snapshot view`: the page, showing a file.
//!
//! It opens the browser, and runs until a signal, also without a terminal.

use std::io::Read;
use std::net::TcpListener;

use anyhow::{Context, bail};

use super::super::{exit, say, web_port};
use super::block_on;
use crate::edge::process::open_in_browser;
use crate::server::viewer;

#[derive(Debug, clap::Args)]
pub(in super::super) struct View {
    /// The file; "-" is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Port of the page; 0 is any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Host of the page
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

pub(super) fn run(args: &View) -> anyhow::Result<u8> {
    let text = read(&args.file)?;
    let snapshot: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no snapshot", args.file))?;
    if !snapshot["view"].is_object() {
        bail!("{} is no snapshot: it has no \"view\"", args.file);
    }
    let listener: TcpListener = web_port::listen(&args.host, args.port)?;
    let port = listener.local_addr().context("the port has no address")?.port();
    let host = args.host.replacen("0.0.0.0", "127.0.0.1", 1);
    let address = format!("http://{host}:{port}/snapshot/local");
    say::out(&format!("Serving snapshot at {address}\nPress Ctrl-C to exit\n"));
    if !args.no_open {
        // What opens a browser may run for as long as the browser does; nobody waits for it.
        std::thread::spawn(move || {
            if let Err(error) = open_in_browser(&address) {
                say::err(format!(
                    "No browser could be opened ({error}): open the address above.\n"
                ));
            }
        });
    }
    block_on(async move {
        tokio::select! {
            served = viewer::serve(listener, text) => served?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(exit::SUCCESS)
    })
}

fn read(file: &str) -> anyhow::Result<String> {
    if file == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))
}
