/** What the fields of line 1 mean, in the words of docs/architecture.md. */

export const HEADER_FIELDS: Readonly<Record<string, string>> = {
  format: "The version of this file's layout. A broker refuses a newer one than it knows.",
  broker: "Where the leader can be reached; null: it has released the lead.",
  brokerHost:
    "The leader's machine, where it listens there, and its process: namespaces, number, start.",
  brokerHeartbeat:
    "When this was written, by the leader's clock, in ms since 1970. For people only.",
  brokerTimeoutMs: "How long a standby waits without a change before it takes over.",
  epoch: "The leader's term. It rises by one with each takeover.",
  commitId: "The name of this write: term, number of the write, name of the broker process.",
  lineage:
    "The last 16 takeovers: term, broker, and the commit it took over from. It settles writes whose answer was lost.",
  completedTotal: "How many jobs have been completed since the queue was created.",
  nextOrder: "The place in line of the next job that is submitted.",
  leadershipMs:
    "How long the queue has been led in all: a clock that stands still while nobody leads.",
  paused: "Whether claims get nothing.",
  pausedTypes: "The types whose jobs are held back.",
};

export const UNKNOWN_FIELD = "Not known to this version; it is kept as it is.";
