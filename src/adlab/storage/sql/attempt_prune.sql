-- In: now. Forgets dialogs that are over, and with them tokens nobody chose accounts for.
DELETE FROM sec.connect_attempt WHERE expires_at <= :now
