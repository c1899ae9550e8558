-- Out: newest percentage of each meter.
SELECT account_id, meter, percent FROM app.quota_meter WHERE percent IS NOT NULL
