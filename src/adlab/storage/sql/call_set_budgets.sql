-- In: plans, a JSON list. Replaces budgets as the person who calls; all of them or none.
SELECT api.set_budgets(CAST(:plans AS jsonb))
