"""The knobs of the limits in `core/limits.py`, which holds their defaults."""

from osqueue.settings.rows import DAY_MS, Knob

__all__ = ["LIMIT_KNOBS"]

GIGABYTE = 1_073_741_824

LIMIT_KNOBS: dict[str, Knob] = {
    "payload_bytes_max": Knob("Largest payload or result, as JSON.", "limits", 1, GIGABYTE),
    "frame_bytes_max": Knob("Largest frame or HTTP body, and reply.", "limits", 1024, GIGABYTE),
    "frame_requests_max": Knob("Most requests in one frame.", "limits", 1, 1_000_000),
    # No more are decoded (`NewJobs` in protocol/params.py).
    "list_items_max": Knob("Most items of a list in a request.", "limits", 1, 100_000),
    "name_bytes_max": Knob("Longest type, worker id, unique key, claim id.", "limits", 16, 65_536),
    "job_id_chars_max": Knob("Longest job id; osqueue's own have 36.", "limits", 36, 1_024),
    "lease_ms_min": Knob("Shortest lease that a claim may ask for.", "limits", 1, DAY_MS),
    "lease_ms_max": Knob("Longest lease that a claim may ask for.", "limits", 1, 30 * DAY_MS),
    "attempts_max": Knob("Largest maxAttempts that a job may ask for.", "limits", 1, 1_000_000),
    "wait_ms_max": Knob("Longest time that a claim may wait for jobs.", "limits", 0, DAY_MS),
    "claim_jobs_max": Knob("Most jobs that one claim may ask for.", "limits", 1, 1_000_000),
    # A deeper nest would end in a RecursionError of the decoder, not in a refusal.
    "depth_max": Knob("Deepest nest of a payload, result or frame.", "limits", 8, 256),
    "error_text_bytes_max": Knob("Longest error text kept with a job.", "limits", 64, 1_048_576),
    "errors_kept_max": Knob("Errors kept with a job, the newest.", "limits", 1, 100),
    "jobs_max": Knob("Most jobs in the queue, dead ones counted.", "limits", 1, 10_000_000),
    "document_bytes_max": Knob("Largest stored queue.", "limits", 65_536, 4 * GIGABYTE),
    "dead_jobs_max": Knob("Most dead letters; then submits are refused.", "limits", 1, 10_000_000),
    "client_entries_max": Knob("Most clients whose repeats are known.", "limits", 1, 1_000_000),
}
