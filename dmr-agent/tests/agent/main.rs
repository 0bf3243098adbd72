//! The agent against a small relay in the same process, over links in memory.

mod answers;
mod api;
mod chatbot;
mod directory;
mod guarantees;
mod links;
mod network;
mod program;
mod receipts;
mod relay;
mod replicas;
mod service;
mod wait;
mod webhook;
