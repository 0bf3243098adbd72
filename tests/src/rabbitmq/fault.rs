//! What may befall a broker that goes on running.
//!
//! Queues are those of the default virtual host.

use super::node::Node;
use crate::failure::{Failure, Outcome};
use crate::patience::until;

/// The default of `vm_memory_high_watermark`.
const WATERMARK: &str = "0.4";

impl Node {
    /// Raises the memory alarm, and returns once it is raised: publishers are blocked, consumers go on.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn raise_memory_alarm(&self) -> Outcome {
        self.ctl(&["set_vm_memory_high_watermark", "0.0001"]).await?;
        until("the memory alarm is raised", async || Ok(self.has_alarm().await?)).await
    }

    /// Clears the memory alarm, and returns once it is cleared.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn clear_memory_alarm(&self) -> Outcome {
        self.ctl(&["set_vm_memory_high_watermark", WATERMARK]).await?;
        until("the memory alarm is cleared", async || Ok(!self.has_alarm().await?)).await
    }

    /// Deletes a queue with what is in it, whoever consumes from it, as an operator may.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn delete_queue(&self, queue: &str) -> Outcome {
        self.management()?.delete(&format!("/api/queues/%2F/{queue}")).await?.well().map(drop)
    }

    /// Removes what is ready in a queue.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn purge_queue(&self, queue: &str) -> Outcome {
        self.management()?.delete(&format!("/api/queues/%2F/{queue}/contents")).await?.well().map(drop)
    }

    /// Has the broker end the channel of every consumer of a queue with an error, as it does when a delivery is not
    /// acknowledged in time. Returns how many there were; none is a failure, since nothing would have been tested.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn kill_channels_of_consumers(&self, queue: &str) -> Outcome<usize> {
        // An acknowledgement of a delivery that never was, as if the consumer had sent it: `channel.close` with 406, as
        // for one that comes too late. Killing the channel's process would close the whole connection with 541.
        self.end_consumers(queue, "ok = rabbit_channel:do(Ch, {'basic.ack', 999999999, false})").await
    }

    /// Has the broker end the whole connection of every consumer of a queue. Returns how many channels there were.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn close_connections_of_consumers(&self, queue: &str) -> Outcome<usize> {
        let close = "{connection, C} = hd(rabbit_channel:info(Ch, [connection])), \
                     rabbit_networking:close_connection(C, \"closed by a drill\")";
        self.end_consumers(queue, close).await
    }

    /// Evaluates `ending` for the channel `Ch` of every consumer.
    async fn end_consumers(&self, queue: &str, ending: &str) -> Outcome<usize> {
        let expression = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             Chs = lists:usort([element(1, C) || C <- rabbit_amqqueue:consumers(Q)]), \
             [begin {ending} end || Ch <- Chs], length(Chs)."
        );
        match self.eval(&expression).await?.parse() {
            Ok(0) | Err(_) => Err(Failure::new(format!("{queue} has no consumer whose channel could be ended"))),
            Ok(count) => Ok(count),
        }
    }

    /// Closes every connection there is.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn close_all_connections(&self) -> Outcome {
        self.ctl(&["close_all_connections", "closed by a drill"]).await.map(drop)
    }

    /// Ends the process of a quorum queue's member on this node: with the leader's, the members elect another.
    ///
    /// # Errors
    /// [`Failure`] with the broker's words.
    pub async fn kill_member(&self, queue: &str) -> Outcome {
        let expression = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             {{Name, _}} = amqqueue:get_pid(Q), exit(whereis(Name), kill)."
        );
        self.eval(&expression).await.map(drop)
    }
}
