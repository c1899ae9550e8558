-- In: before (day of UTC). Forgets counters of older days.
DELETE FROM app.webhook_refusal WHERE day < :before
