-- In: what (JSON). Out: number of the proposal that was kept.
SELECT api.propose_change(CAST(:what AS jsonb))
