//! `dead`: the messages that died, for the operator. Header facts only: nothing here can open one.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use dmr_core::envelope::Envelope;
use dmr_core::id::MessageId;
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;
use dmr_transport::amqp::{AmqpBroker, KeptLetter, Redrive};
use dmr_transport::service::settings::ConfigFile;
use serde_json::{Value, json};

use super::OperatorError;
use super::names::{NameSettings, Names};
use super::progress::Progress;
use crate::broker_settings::BrokerSettings;
use crate::directory_report::Moment;
use crate::program::Failure;

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List the letters that are kept: what died, when, why, whose. Takes nothing away.
    List {
        /// Which broker.
        #[command(flatten)]
        source: DeadSource,
        /// Print a JSON object for each letter instead of a table
        #[arg(long, env = "DMR_JSON")]
        json: bool,
    },
    /// Show what the header of one letter says. What is sealed in it cannot be shown: nothing here could open it.
    Show {
        /// Message id
        #[arg(value_name = "ID")]
        id: MessageId,
        /// Which broker.
        #[command(flatten)]
        source: DeadSource,
    },
    /// Store letters in their mailboxes again, and take them out of here. Its recipient may have a verdict on a message
    /// already, and then repeats that. Exits with 1 when one of them stays.
    Redrive {
        /// Message ids
        #[arg(value_name = "ID")]
        ids: Vec<MessageId>,
        /// All of them
        #[arg(long)]
        all: bool,
        /// Which broker.
        #[command(flatten)]
        source: DeadSource,
    },
    /// Throw every letter away, for good.
    Purge {
        /// Really
        #[arg(long)]
        yes: bool,
        /// Which broker.
        #[command(flatten)]
        source: DeadSource,
    },
}

/// Which broker, and who is called what.
#[derive(Debug, Args)]
pub struct DeadSource {
    #[command(flatten)]
    config_file: ConfigFile,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    names: NameSettings,
}

impl DeadCommand {
    /// Does it.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::List { source, json } => list(source, *json).await,
            Self::Show { id, source } => show(source, *id).await,
            Self::Redrive { ids, all, source } => redrive(source, ids, *all).await,
            Self::Purge { yes, source } => purge(source, *yes).await,
        }
    }
}

impl DeadSource {
    fn connect(&self) -> Result<AmqpBroker, Failure> {
        super::connect(&self.broker)
    }
}

async fn list(source: &DeadSource, as_json: bool) -> Result<(), Failure> {
    let names = source.names.names()?;
    let mut letters = source.connect()?.kept_letters().await?;
    let mut progress = Progress::begin("letters", letters.left());
    let (mut out, mut count) = (io::stdout().lock(), 0_u32);
    if !as_json && letters.left() > 0 {
        writeln!(out, "{}", Row::HEADINGS)?;
    }
    while let Some(letter) = letters.next().await? {
        count += 1;
        let row = Row::of(&letter, &names);
        if as_json {
            writeln!(out, "{}", row.json())?
        } else {
            writeln!(out, "{row}")?
        }
        progress.at(count);
    }
    if !as_json {
        writeln!(out, "{count} dead letters")?;
    }
    letters.finish().await;
    Ok(())
}

/// What a list says of a letter.
struct Row {
    id: MessageId,
    died: Option<Timestamp>,
    reason: FailureReason,
    sender: String,
    mailbox: String,
    bytes: usize,
}

impl Row {
    const HEADINGS: &str =
        "ID                                    DIED                  REASON            BYTES    FROM -> TO";

    fn of(kept: &KeptLetter, names: &Names) -> Self {
        let letter = &kept.letter;
        let (sender, mailbox) = (names.of(letter.sender), names.of(letter.mailbox));
        Self { id: letter.id, died: kept.died, reason: letter.reason, sender, mailbox, bytes: kept.envelope.len() }
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "died": self.died.map(|died| Moment(died).to_string()),
            "reason": self.reason.as_str(),
            "sender": self.sender,
            "mailbox": self.mailbox,
            "bytes": self.bytes,
        })
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let died = self.died.map_or_else(|| "-".to_owned(), |died| Moment(died).to_string());
        let Self { id, reason, sender, mailbox, bytes, .. } = self;
        write!(f, "{id}  {died:<20}  {:<16}  {bytes:<7}  {sender} -> {mailbox}", reason.as_str())
    }
}

async fn show(source: &DeadSource, id: MessageId) -> Result<(), Failure> {
    let names = source.names.names()?;
    let mut letters = source.connect()?.kept_letters().await?;
    let mut progress = Progress::begin("letters", letters.left());
    let (mut looked, mut found) = (0, 0_u32);
    while let Some(kept) = letters.next().await? {
        looked += 1;
        progress.at(looked);
        if kept.letter.id == id {
            found += 1;
            write!(io::stdout(), "{}", Facts { kept: &kept, names: &names })?;
        }
    }
    letters.finish().await;
    if found == 0 { Err(OperatorError::NoLetter { id }.into()) } else { Ok(()) }
}

/// Everything that may be known of a letter.
struct Facts<'a> {
    kept: &'a KeptLetter,
    names: &'a Names,
}

impl Display for Facts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { kept: KeptLetter { letter, died, stored, envelope }, names } = self;
        let moment = |moment: &Option<Timestamp>| moment.map_or_else(|| "-".to_owned(), |at| Moment(at).to_string());
        writeln!(f, "id          {}", letter.id)?;
        writeln!(f, "reason      {}", letter.reason)?;
        writeln!(f, "mailbox     {}", names.of(letter.mailbox))?;
        writeln!(f, "stored      {}", moment(stored))?;
        writeln!(f, "died        {}", moment(died))?;
        writeln!(f, "bytes       {}", envelope.len())?;
        let Ok(envelope) = Envelope::decode(envelope.clone()) else {
            return writeln!(f, "            not an envelope: the header cannot be read\n");
        };
        let header = envelope.header();
        writeln!(f, "network     {}", header.network)?;
        writeln!(f, "kind        {}", header.kind)?;
        writeln!(f, "sender      {}   key {}", names.of(header.sender), header.sender_key)?;
        for recipient in header.recipients.as_slice() {
            writeln!(f, "recipient   {}   key {}", names.of(recipient.participant), recipient.key)?;
        }
        writeln!(f, "suite       {}", header.suite.number())?;
        writeln!(f, "created     {}", Moment(header.created))?;
        writeln!(f, "expires     {}", Moment(header.expires))?;
        writeln!(f, "directory   revision {}   digest {}\n", header.directory_revision, header.directory_digest)
    }
}

async fn redrive(source: &DeadSource, ids: &[MessageId], all: bool) -> Result<(), Failure> {
    if all != ids.is_empty() {
        return Err(OperatorError::WhichLetters.into());
    }
    let wanted: BTreeSet<_> = ids.iter().copied().collect();
    let mut letters = source.connect()?.kept_letters().await?;
    let mut progress = Progress::begin("letters", letters.left());
    let (mut looked, mut stored, mut stayed) = (0, 0_u32, 0_u32);
    let mut missing = wanted.clone();
    let mut out = io::stdout().lock();
    while let Some(kept) = letters.next().await? {
        looked += 1;
        progress.at(looked);
        let id = kept.letter.id;
        if !all && !wanted.contains(&id) {
            continue;
        }
        missing.remove(&id);
        let outcome = match letters.redrive(&kept).await? {
            Redrive::Stored => "in its mailbox again",
            Redrive::Copy => "another copy of it, removed",
            Redrive::Expired => "stays: it has expired, and its recipient would refuse it",
            Redrive::Unfit => "stays: it is not an envelope for the mailbox it was in",
            Redrive::Refused => "stays: its mailbox is full or the broker unavailable",
        };
        writeln!(out, "{id}  {outcome}")?;
        if outcome.starts_with("stays") { stayed += 1 } else { stored += 1 }
    }
    letters.finish().await;
    for id in &missing {
        writeln!(out, "{id}  no such dead letter")?;
    }
    let missing = u32::try_from(missing.len()).unwrap_or(u32::MAX);
    writeln!(out, "{stored} redriven, {stayed} stay, {missing} not found")?;
    if stayed + missing == 0 { Ok(()) } else { Err(OperatorError::LettersStay { count: stayed + missing }.into()) }
}

async fn purge(source: &DeadSource, yes: bool) -> Result<(), Failure> {
    let broker = source.connect()?;
    if !yes {
        let letters = broker.kept_letters().await?;
        return Err(OperatorError::NotConfirmed { count: letters.left() }.into());
    }
    let purged = broker.purge_kept_letters().await?;
    writeln!(io::stdout(), "{purged} dead letters thrown away")?;
    Ok(())
}
