-- In: counts (JSON text, {reason: how many}), at. Adds to the day's counters. Out: one empty row.
SELECT sec.refuse_webhooks(CAST(:counts AS jsonb), :at)
