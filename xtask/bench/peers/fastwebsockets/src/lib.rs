//! How fastwebsockets echoes, over HTTP/1.1 and over hyper's HTTP/2.

use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;

use bench_common::Error;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, WebSocket, WebSocketError, WebSocketWrite,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{BufWriter, ReadHalf, WriteHalf};

/// What hyper's upgrade gives.
pub type Transport = TokioIo<Upgraded>;

/// The two directions, for batches.
#[allow(missing_debug_implementations)]
pub struct Split {
    reader: FragmentCollectorRead<ReadHalf<Transport>>,
    /// The one that writes.
    pub writer: WebSocketWrite<BufWriter<WriteHalf<Transport>>>,
}

/// Echoes what is data, until the end.
///
/// # Errors
/// Those of the library.
pub async fn echo(ws: WebSocket<Transport>, batch: bool) -> Result<(), Error> {
    if batch {
        return echo_in_batches(Split::new(ws)).await;
    }
    let mut ws = FragmentCollector::new(ws);
    loop {
        let frame = ws.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => ws.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn echo_in_batches(mut ws: Split) -> Result<(), Error> {
    loop {
        let Split { reader, writer } = &mut ws;
        let frame = receive(reader, writer).await?;
        match frame.opcode {
            OpCode::Close => return Ok(writer.flush().await?),
            OpCode::Text | OpCode::Binary => writer.write_frame(frame).await?,
            _ => {}
        }
    }
}

impl Split {
    /// Takes it apart, and puts a buffer before the writing half.
    pub fn new(ws: WebSocket<Transport>) -> Self {
        let (reader, writer) = ws.split(|io| {
            let (reader, writer) = tokio::io::split(io);
            (reader, BufWriter::with_capacity(64 << 10, writer))
        });
        Self { reader: FragmentCollectorRead::new(reader), writer }
    }

    /// The length of the next message. What was written leaves before this waits.
    ///
    /// # Errors
    /// Those of the library.
    pub async fn receive(&mut self) -> Result<usize, Error> {
        loop {
            let frame = receive(&mut self.reader, &mut self.writer).await?;
            match frame.opcode {
                OpCode::Close => return Err("closed".into()),
                OpCode::Text | OpCode::Binary => return Ok(frame.payload.len()),
                _ => {}
            }
        }
    }
}

/// The next frame that is a whole message. What was written, and what is owed for a Ping or a Close, leaves before this waits.
async fn receive<'a>(
    reader: &'a mut FragmentCollectorRead<ReadHalf<Transport>>,
    writer: &mut WebSocketWrite<BufWriter<WriteHalf<Transport>>>,
) -> Result<Frame<'a>, Error> {
    // Whoever reads on after a Ping does so before it returns.
    let owed = Mutex::new(None);
    let mut post = |frame| {
        if let Ok(mut owed) = owed.lock() {
            *owed = Some(frame);
        }
        ready(Ok::<_, WebSocketError>(()))
    };
    let take = || owed.lock().ok().and_then(|mut owed| owed.take());
    let mut read = pin!(reader.read_frame(&mut post));
    let mut flushed = false;
    loop {
        let next = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending if flushed && owed.lock().is_ok_and(|owed| owed.is_none()) => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        let frame = next.await;
        if let Some(answer) = take() {
            writer.write_frame(answer).await?;
        }
        if let Some(frame) = frame {
            return Ok(frame?);
        }
        writer.flush().await?;
        flushed = true;
    }
}
