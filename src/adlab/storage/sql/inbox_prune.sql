-- In: before. Forgets updates received before it, whatever their state.
DELETE FROM app.webhook_event WHERE received_at < :before
