-- In: action, clients (slugs), details (JSON). Notes something as the person who calls.
SELECT api.note(:action, CAST(:clients AS text[]), CAST(:details AS jsonb))
