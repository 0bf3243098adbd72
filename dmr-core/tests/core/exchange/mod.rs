//! The exchange: given these frames and these words of the program's, exactly this is sent and told.

mod asks;
mod deliveries;
mod messages;
mod script;
mod stand_in;
