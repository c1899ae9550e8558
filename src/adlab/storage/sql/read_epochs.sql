-- Out: definition changes, oldest first.
SELECT starts_on, ends_on, title, detail, metrics, source FROM api.epochs ORDER BY starts_on, title
