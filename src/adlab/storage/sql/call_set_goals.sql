-- In: plans, a JSON list. Replaces goals as the person who calls; all of them or none.
SELECT api.set_goals(CAST(:plans AS jsonb))
